import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { readProxyState } from "../local-mesh/proxy-state.ts";
import { runHeddle } from "../testing/heddle-process.ts";
import { answers, edgeUrl, startMesh } from "../testing/live-mesh.ts";
import { smallMesh } from "../testing/small-mesh.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

test("a mesh serves, follows its files, refuses a second run, and leaves nothing after Ctrl-C", {
  timeout: 110_000,
}, async (context) => {
  const folder = temporaryFolder(context, smallMesh);
  const heddle = startMesh(context, folder);
  await heddle.line(/encrypted and steered, but not isolated/);
  const url = await edgeUrl(heddle);
  await answers(url, "hello from back-0");

  // The root came with the join token and comes by ADS, too; it is one certificate.
  const state = await readProxyState(join(folder, ".heddle/proxies/back-0"));
  const certs = (await (await fetch(`http://${state?.adminAddress}/certs`)).json()) as {
    certificates: { ca_cert: { serial_number: string }[]; cert_chain: unknown[] }[];
  };
  assert.deepEqual(
    certs.certificates.map(({ ca_cert, cert_chain }) => [ca_cert.length, cert_chain.length]),
    [[1, 1]],
  );

  const second = await runHeddle(["up", folder, "--mode", "ports"]);
  assert.equal(second.code, 1);
  assert.match(second.stderr, new RegExp(`this mesh is already running, as process ${heddle.child.pid}\n→ `));

  // A change of a resource, a change that is refused, and one of the LocalMesh.
  writeFileSync(join(folder, "routes.yaml"), smallMesh["routes.yaml"]?.replace("5s", "6s") ?? "");
  await heddle.line(/√ in force ~ VirtualService default\/back/);
  writeFileSync(join(folder, "routes.yaml"), smallMesh["routes.yaml"]?.replace("timeout", "tiemout") ?? "");
  await heddle.line(/× refused routes\.yaml:8: error HDL\d+: .*tiemout/);
  await answers(url, "hello from back-0");
  writeFileSync(join(folder, "routes.yaml"), smallMesh["routes.yaml"]?.replace("5s", "6s") ?? "");
  await heddle.line(/√ mended VirtualService default\/back has no error any more/);
  writeFileSync(
    join(folder, "mesh.yaml"),
    smallMesh["mesh.yaml"]?.replaceAll("calls: []", "calls: []\n      env: { GREETING: goodbye }") ?? "",
  );
  await answers(url, "goodbye from back-0");
  writeFileSync(
    join(folder, "mesh.yaml"),
    smallMesh["mesh.yaml"]?.replaceAll("[node, server.cjs]", "[no-such-program]") ?? "",
  );
  await heddle.line(
    /mesh\.yaml:\d+: the workload front cannot be started: its command "no-such-program" was not found .*what runs goes on/,
  );
  await answers(url, "goodbye from back-0");

  assert.match(readFileSync(join(folder, ".heddle/logs/edge.proxy.log"), "utf8"), /"GET \/ HTTP\/1\.1" 200/);
  heddle.kill("SIGINT");
  assert.equal(await heddle.end(), 0);
  await heddle.nothingLeft();
  for (const name of ["run.json", "runner.json"]) assert.equal(existsSync(join(folder, ".heddle", name)), false, name);
  await assert.rejects(fetch(url));
});

test("SIGKILL leaves no process, and the next run takes up what it left", { timeout: 110_000 }, async (context) => {
  const folder = temporaryFolder(context, smallMesh);
  const first = startMesh(context, folder);
  await answers(await edgeUrl(first), "hello from back-0");
  const authority = readFileSync(join(folder, ".heddle/ca/authority.state"), "latin1");
  assert.ok(first.family().length > 6, "control plane, proxies, workers and applications run");
  first.kill("SIGKILL");
  await first.nothingLeft();

  const second = startMesh(context, folder);
  await second.line(
    new RegExp(`the run of process ${first.child.pid} was killed; what it left in .*\\.heddle is used again`),
  );
  await answers(await edgeUrl(second), "hello from back-0");
  assert.equal(
    readFileSync(join(folder, ".heddle/ca/authority.state"), "latin1"),
    authority,
    "the authority is the same",
  );
  second.kill("SIGTERM");
  assert.equal(await second.end(), 0);
  await second.nothingLeft();
});

test("a port in use is named with the remedy, before anything starts", async (context) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const folder = temporaryFolder(context, {
    ...smallMesh,
    "mesh.yaml": smallMesh["mesh.yaml"]?.replace("port: 0", `port: ${port}`) ?? "",
  });
  const { code, stdout, stderr } = await runHeddle(["up", folder, "--mode", "ports"]);
  assert.equal(code, 1);
  assert.match(
    stderr,
    new RegExp(
      `heddle: mesh\\.yaml:6: port ${port} on 127\\.0\\.0\\.1 is in use: end the program that listens there, or set another port\n→ Nothing was started`,
    ),
  );
  assert.doesNotMatch(stdout, /listening/);
  assert.equal(existsSync(join(folder, ".heddle/runner.json")), false);
});

const refused: readonly { title: string; mesh: string; code: number; says: RegExp }[] = [
  {
    title: "a missing command is named with workload and place",
    mesh: smallMesh["mesh.yaml"]?.replace("command: [node, server.cjs]", "command: [no-such-program]") ?? "",
    code: 1,
    says: /mesh\.yaml:8: the workload front cannot be started: its command "no-such-program" was not found[^]*→ Install the program, .*Nothing was started/,
  },
  {
    title: "a LocalMesh with an error is refused with its line",
    mesh: smallMesh["mesh.yaml"]?.replace("port: 80", "prot: 80") ?? "",
    code: 3,
    says: /mesh\.yaml:11: error HDL\d+: .*prot/,
  },
  { title: "a folder without a LocalMesh is refused", mesh: "", code: 3, says: /holds no LocalMesh resource/ },
];

for (const { title, mesh, code, says } of refused) {
  test(title, async (context) => {
    const folder = temporaryFolder(context, { ...smallMesh, "mesh.yaml": mesh });
    const result = await runHeddle(["up", folder, "--mode", "ports"]);
    assert.equal(result.code, code);
    assert.match(result.stderr, says);
    assert.doesNotMatch(result.stderr, /^\s+at /m);
    assert.equal(existsSync(join(folder, ".heddle/runner.json")), false);
  });
}

test("what a running mesh cannot change is named with its line, and is not said to be in force", {
  timeout: 110_000,
}, async (context) => {
  const folder = temporaryFolder(context, smallMesh);
  const heddle = startMesh(context, folder);
  const url = await edgeUrl(heddle);
  const mesh = smallMesh["mesh.yaml"] ?? "";
  writeFileSync(join(folder, "mesh.yaml"), mesh.replace("port: 0 }", "port: 1 }"));
  await heddle.line(/mesh\.yaml:6: the edge stays at 127\.0\.0\.1:\d+ until heddle up is started again/);
  assert.deepEqual(
    heddle.lines.filter((line) => /in force ~/.test(line)),
    [],
  );
  writeFileSync(join(folder, "mesh.yaml"), mesh.replaceAll("calls: []", "calls: []\n      env: { GREETING: goodbye }"));
  await heddle.line(/√ in force ~ LocalMesh default\/small/);
  await answers(url, "goodbye from back-0");
  // An edge that was taken out of the file runs on, and what is said when it is back holds for it.
  const told = async (text: string): Promise<string> => {
    const before = heddle.lines.length;
    writeFileSync(join(folder, "mesh.yaml"), text);
    for (;;) {
      const line = heddle.lines.slice(before).find((each) => /in force ~|the edge stays/.test(each));
      if (line !== undefined) return line;
      await delay(20);
    }
  };
  const withoutEdge = mesh.replace("edge: { service: front, port: 0 }", "rootNamespace: istio-system");
  assert.match(await told(withoutEdge), /the edge stays at \S+ until heddle up is started again/);
  assert.match(await told(mesh.replace("edge: { service: front", "edge: { service: back")), /in force ~ LocalMesh/);
  rmSync(join(folder, "mesh.yaml"));
  await heddle.line(/holds no LocalMesh resource.*what runs goes on/);
  // What comes back counts when it runs, and not when it is read: first with a command that is missing, then as it was.
  const before = heddle.lines.length;
  const withoutCommand = mesh
    .replace("edge: { service: front", "edge: { service: back")
    .replaceAll("[node,", "[no-such-program,");
  writeFileSync(join(folder, "mesh.yaml"), withoutCommand);
  await heddle.line(/the workload front cannot be started: its command "no-such-program" was not found/);
  assert.deepEqual(
    heddle.lines.slice(before).filter((line) => /in force . LocalMesh/.test(line)),
    [],
  );
  assert.match(await told(mesh.replace("edge: { service: front", "edge: { service: back")), /in force ~ LocalMesh/);
  heddle.kill("SIGTERM");
  assert.equal(await heddle.end(), 0);
  assert.deepEqual(
    heddle.lines.filter((line) => /HDL0108|in force -/.test(line)),
    [],
  );
});

test("told to stop while it starts, it ends and leaves nothing", { timeout: 110_000 }, async (context) => {
  const folder = temporaryFolder(context, smallMesh);
  const heddle = startMesh(context, folder);
  await heddle.line(/starting the control plane/);
  heddle.kill("SIGINT");
  assert.equal(await heddle.end(), 0);
  await heddle.nothingLeft();
});

test("the edge is told as soon as it serves, though a program behind it never gets ready", {
  timeout: 60_000,
}, async (context) => {
  const mesh = (smallMesh["mesh.yaml"] ?? "").replace(
    /(name: back\n +service: back\n +command: ).*/,
    "$1[sleep, '1000']",
  );
  const heddle = startMesh(context, temporaryFolder(context, { ...smallMesh, "mesh.yaml": mesh }));
  await heddle.line(/^ {2}edge {2}http:\S+ → front, which answers when the mesh is ready$/);
  assert.doesNotMatch(heddle.stdout, / is ready after /);
  heddle.kill("SIGTERM");
  assert.equal(await heddle.end(), 0);
});
