import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runHeddle } from "../testing/heddle-process.ts";
import { answers, edgeUrl, kill, startMesh } from "../testing/live-mesh.ts";
import { smallMesh } from "../testing/small-mesh.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

test("another trust domain is refused while the mesh runs, whatever crashes, and the next start says what it takes", {
  timeout: 110_000,
}, async (context) => {
  const folder = temporaryFolder(context, smallMesh);
  const heddle = startMesh(context, folder);
  const url = await edgeUrl(heddle);
  await answers(url, "hello from back-0");
  const mesh = smallMesh["mesh.yaml"] ?? "";
  const greeting = mesh.replaceAll("calls: []", "calls: []\n      env: { GREETING: goodbye }");
  const edited = greeting.replace("spec:\n", "spec:\n  trustDomain: other.example\n  rootNamespace: roots\n");
  writeFileSync(join(folder, "mesh.yaml"), edited);
  await heddle.line(/× refused mesh\.yaml:6: error HDL0118: .*other\.example needs a restart of the mesh/);
  await heddle.line(/× refused mesh\.yaml:7: error HDL0118: .*roots needs a restart of the mesh/);
  kill(heddle, /control-plane\/src\/entry/);
  await heddle.line(/the control plane is back; proxies reconnect/);
  // Proxies follow the new life, and nothing of the edit was taken.
  writeFileSync(join(folder, "routes.yaml"), (smallMesh["routes.yaml"] ?? "").replace("5s", "6s"));
  await heddle.line(/√ in force ~ VirtualService default\/back/);
  await answers(url, "hello from back-0");
  heddle.kill("SIGTERM");
  assert.equal(await heddle.end(), 0);
  assert.doesNotMatch(heddle.lines.join("\n"), /in force ~ LocalMesh/);

  const refused = await runHeddle(["up", folder, "--mode", "ports"]);
  assert.equal(refused.code, 1);
  assert.match(
    refused.stderr,
    /authority of spiffe:\/\/cluster\.local, not of the trust domain other\.example: .*move the folder .*ca away/,
  );
  rmSync(join(folder, ".heddle/ca"), { recursive: true });
  const rebuilt = startMesh(context, folder);
  await answers(await edgeUrl(rebuilt), "goodbye from back-0");
  rebuilt.kill("SIGTERM");
  assert.equal(await rebuilt.end(), 0);
});
