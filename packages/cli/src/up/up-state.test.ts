import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { writeStateFile } from "@heddle/state";
import { runHeddle } from "../testing/heddle-process.ts";
import { answers, edgeUrl, startMesh } from "../testing/live-mesh.ts";
import { smallMesh } from "../testing/small-mesh.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

test("state of a newer Heddle is refused with its file, and left alone", { timeout: 110_000 }, async (context) => {
  const folder = temporaryFolder(context, smallMesh);
  const path = join(folder, ".heddle/ca/authority.state");
  mkdirSync(dirname(path), { recursive: true });
  await writeStateFile(path, "certificate-authority", 99, Buffer.from("{}"));
  const before = readFileSync(path, "utf8");
  const heddle = startMesh(context, folder);
  assert.equal(await heddle.end(), 1);
  assert.match(
    heddle.stderr,
    /authority\.state has format version 99, newer than this Heddle knows .*\.heddle. beside the resources.* away/,
  );
  assert.equal(heddle.lines.filter((line) => line.includes("format version 99")).length, 1, heddle.stdout);
  assert.equal(heddle.stderr.match(/heddle: /g)?.length, 1, heddle.stderr);
  assert.doesNotMatch(heddle.stderr, /^\s+at /m);
  await heddle.nothingLeft();
  assert.equal(readFileSync(path, "utf8"), before);
});

test("a list of instances of a newer Heddle is left alone, and a damaged one is kept and told", {
  timeout: 110_000,
}, async (context) => {
  const folder = temporaryFolder(context, smallMesh);
  const path = join(folder, ".heddle/instances.json");
  mkdirSync(dirname(path), { recursive: true });
  await writeStateFile(path, "instances", 99, Buffer.from("[]"));
  const newer = readFileSync(path, "utf8");
  const ofNewer = join(folder, ".heddle/proxies/back-0/kept");
  mkdirSync(dirname(ofNewer), { recursive: true });
  writeFileSync(ofNewer, "what the newer one knows");
  const refused = await runHeddle(["up", folder, "--mode", "ports"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /instances\.json has format version 99, newer than this Heddle knows/);
  assert.equal(readFileSync(path, "utf8"), newer);
  assert.ok(existsSync(ofNewer), "nothing of the run before is removed by a start that is refused");

  writeFileSync(path, "rubbish");
  const heddle = startMesh(context, folder);
  const told = await heddle.line(
    /the list of instances of the last run cannot be used \(it has no state file header\)/,
  );
  const kept = /kept as (\S+)/.exec(told)?.[1] ?? "";
  assert.equal(readFileSync(kept, "utf8"), "rubbish");
  await answers(await edgeUrl(heddle), "hello from back-0");
  heddle.kill("SIGTERM");
  assert.equal(await heddle.end(), 0);
  await heddle.nothingLeft();
});

test("a folder that cannot hold state is refused with what is in the way", async (context) => {
  const folder = temporaryFolder(context, { ...smallMesh, ".heddle": "a file where the folder should be" });
  const { code, stderr } = await runHeddle(["up", folder, "--mode", "ports"]);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^heddle: .*\.heddle: the mesh cannot keep its state here: there is a file where the folder should be\n→ .*Nothing was started/,
  );
  assert.doesNotMatch(stderr, /^\s+at /m);
});

test("a file in place of a folder is said to be one", async (context) => {
  const folder = temporaryFolder(context, smallMesh);
  const { code, stderr } = await runHeddle(["up", join(folder, "mesh.yaml"), "--mode", "ports"]);
  assert.equal(code, 2);
  assert.match(stderr, /mesh\.yaml: this is a file\n→ Name its folder: heddle up .*heddle-cli-\w+\n$/);
});
