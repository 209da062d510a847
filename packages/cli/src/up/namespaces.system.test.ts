// Needs root and Linux: network namespaces with redirection.
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { setImmediate as immediate } from "node:timers/promises";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { beforeEach, test } from "node:test";
import { answers, edgeUrl, startMesh } from "../testing/live-mesh.ts";
import { writeStateFile } from "@heddle/state";
import { enterNetworkNamespace, isRunning } from "@heddle/testkit";
import { runHeddle } from "../testing/heddle-process.ts";
import { callerUid, NamespacedMesh } from "../testing/namespaced-mesh.ts";
import { smallMesh } from "../testing/small-mesh.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

// A machine for each test: nobody else has its ports, or a mesh on it.
beforeEach(enterNetworkNamespace);

/** Programs in a folder that fail, and write their names where `planted` says. */
function plant(folder: string, planted: string, names: readonly string[]): void {
  mkdirSync(folder);
  for (const name of names) {
    writeFileSync(join(folder, name), `#!/bin/sh\necho ${name} >> ${planted}\nexit 1\n`);
    chmodSync(join(folder, name), 0o755);
  }
}

test("what a workload's env says governs the workload, and none of the programs that run as root to start it", {
  timeout: 120_000,
}, async (context) => {
  const folder = temporaryFolder(context, smallMesh);
  const planted = join(folder, "planted");
  const programs = ["nsenter", "setpriv", "env", "sh", "cat", "ip", "unshare"];
  plant(join(folder, "bin"), planted, programs);
  // Where npm puts folders that anybody may have made; no proxy may pass through the mesh's, so each gets a view.
  plant(join(folder, "first"), planted, [...programs, "mount", "mkdir", "umount"]);
  writeFileSync(join(folder, "bin/back-server"), `#!/bin/sh\nexec ${process.execPath} server.cjs\n`);
  chmodSync(join(folder, "bin/back-server"), 0o755);
  const [front = "", back = ""] = smallMesh["mesh.yaml"]?.split("- name: back") ?? [];
  const env = `env: { PATH: ./bin:/usr/bin, LD_PRELOAD: /no/such.so, GREETING: "it's 'quoted' $HOME \`id\`" }`;
  writeFileSync(
    join(folder, "mesh.yaml"),
    `${front}- name: back${back.replace("[node, server.cjs]", "[back-server]").replace("calls: []", `calls: []\n      ${env}`)}`,
  );
  const path = [join(folder, "first"), process.env["PATH"]].join(delimiter);
  const heddle = startMesh(context, folder, "namespaces", { PATH: path });
  await answers(await edgeUrl(heddle), "it's 'quoted' $HOME `id` from back-0");
  const told = existsSync(planted) ? readFileSync(planted, "utf8") : "";
  assert.equal(told, "");
  // The loader complains once for each program that it was told to load this into: the script, and the node that it becomes.
  const complaints = readFileSync(join(folder, ".heddle/logs/back-0.log"), "utf8").match(/\/no\/such\.so/g) ?? [];
  assert.equal(complaints.length, 2);
});

test("programs of the machine that have the mesh's ports keep them, and the mesh gets others", {
  timeout: 120_000,
}, async (context) => {
  const xds = createServer().listen(15_012, "0.0.0.0");
  await once(xds, "listening");
  context.after(() => xds.close());
  const names = createSocket("udp4").bind(15_053, "0.0.0.0");
  await once(names, "listening");
  context.after(() => names.close());
  const mesh = await NamespacedMesh.start(context);
  await mesh.heddle.line(/the control plane's port 198\.18\.\d+\.1:15012 is taken; it gets another/);
  await answers(await edgeUrl(mesh.heddle), `${callerUid} from back-0`);
  assert.equal(await mesh.inside("front-0", ["dig", "+short", "example.com"]), NamespacedMesh.outside);
});

test("a start in namespaces that cannot go on says why, and leaves nothing", {
  timeout: 120_000,
}, async (context) => {
  const interfaces = Object.keys(networkInterfaces());
  const folder = temporaryFolder(context, smallMesh);
  mkdirSync(join(folder, ".heddle"));
  await writeStateFile(join(folder, ".heddle/instances.json"), "instances", 99, Buffer.from("[]"));
  const { code, stderr } = await runHeddle(["up", folder, "--mode", "namespaces"]);
  assert.equal(code, 1);
  assert.match(stderr, /^heddle: .*instances\.json has format version 99, newer than this Heddle knows/);
  // The kernel takes an interface away some time after its namespace, and another test may have a mesh of its own meanwhile.
  while (Object.keys(networkInterfaces()).some((name) => !interfaces.includes(name))) await immediate();
});

test("what a run keeps belongs to the caller by the time that another may begin", {
  timeout: 120_000,
}, async (context) => {
  const { heddle, folder } = await NamespacedMesh.start(context);
  await heddle.line(/ is ready after /);
  heddle.kill("SIGINT");
  while (existsSync(join(folder, ".heddle/runner.json"))) await immediate();
  assert.equal(statSync(join(folder, ".heddle")).uid, callerUid);
  assert.equal(await heddle.end(), 0);
});

/** Every program of the mesh greets whoever connects to these ports, which are no service's. */
const greeter = `
for (const port of [9997, 9998, 9999])
  require("node:net").createServer((socket) => socket.end("220 ready").on("error", () => {})).listen(port, "0.0.0.0");
`;
const portModes = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: back, namespace: default }
spec:
  selector: { matchLabels: { app: back } }
  mtls: { mode: STRICT }
  portLevelMtls: { "9998": { mode: DISABLE } }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: front, namespace: default }
spec:
  selector: { matchLabels: { app: front } }
  mtls: { mode: PERMISSIVE }
  portLevelMtls: { "9999": { mode: STRICT } }
`;
/** Prints what an address and port say to somebody who says this. */
const ask = `
const [host, port, text] = process.argv.slice(1);
const socket = require("node:net").connect(Number(port), host);
let got = "";
socket.on("connect", () => socket.write(text));
socket.on("data", (chunk) => (got += chunk));
socket.on("error", () => {});
socket.on("close", () => console.log(got));
`;

test("portLevelMtls holds on ports of a workload that no service has, and there a server may speak first", {
  timeout: 120_000,
}, async (context) => {
  const files = { "server.cjs": `${smallMesh["server.cjs"]}${greeter}`, "ports.yaml": portModes };
  const mesh = await NamespacedMesh.start(context, { files });
  await answers(await edgeUrl(mesh.heddle), `${callerUid} from back-0`);
  const addressOf = async (replica: string): Promise<string> => {
    const [address = ""] = (await mesh.inside(replica, ["hostname", "-I"])).split(" ");
    return address;
  };
  const hears = async (from: string, to: string, port: number, says: string): Promise<string> =>
    mesh.inside(from, [process.execPath, "-e", ask, await addressOf(to), String(port), says]);
  assert.equal(await hears("front-0", "back-0", 9998, ""), "220 ready");
  assert.equal(await hears("front-0", "back-0", 9997, "hello"), "");
  assert.equal(await hears("back-0", "front-0", 9998, "hello"), "220 ready");
  assert.equal(await hears("back-0", "front-0", 9999, "hello"), "");
});

const policy = (mode: string): string => `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: back
spec:
  selector: { matchLabels: { app: back } }
  mtls: { mode: ${mode} }
`;

test("a workload in namespaces runs as who called, finds names as in a pod, and takes no plaintext under STRICT", {
  timeout: 120_000,
}, async (context) => {
  const mesh = await NamespacedMesh.start(context, { files: { "policy.yaml": policy("STRICT") } });
  await mesh.heddle.line(/ is ready after /);
  const ask = (...words: string[]): Promise<string> => mesh.inside("front-0", words);
  await answers(await edgeUrl(mesh.heddle), `${callerUid} from back-0`);

  const [virtual = ""] = (await ask("getent", "ahostsv4", "back")).split(" ");
  assert.match(virtual, /^240\.240\.\d+\.\d+$/);
  for (const name of ["back", "back.default", "back.default.svc.cluster.local"])
    assert.equal((await ask("getent", "ahostsv4", name)).split(" ")[0], virtual, name);
  const whole = "back.default.svc.cluster.local";
  assert.equal(await ask("dig", "+short", whole), virtual);
  assert.equal(await ask("dig", "+short", "+tcp", whole), virtual);
  assert.equal(await ask("dig", "+short", "example.com"), NamespacedMesh.outside);

  const get = "fetch(process.argv[1]).then(async (it) => console.log(await it.text()), () => console.log('refused'))";
  const call = (url: string): Promise<string> => ask(join(mesh.folder, "node"), "-e", get, url);
  assert.equal(await call("http://back/"), `${callerUid} from back-0`);
  // Past the service, where no proxy makes it mutual TLS.
  const [own] = await mesh.addressesOf("back-0");
  assert.equal(await call(`http://${own}/`), "refused");
  writeFileSync(join(mesh.folder, "policy.yaml"), policy("PERMISSIVE"));
  while ((await call(`http://${own}/`)) === "refused") await immediate();
});

test("what a killed run could not end is ended by the next", { timeout: 180_000 }, async (context) => {
  const mesh = await NamespacedMesh.start(context);
  await mesh.heddle.line(/ is ready after /);
  const holders = mesh.heddle.family().filter(({ command }) => command.includes("heddle-namespace"));
  assert.ok(holders.length >= 3, "the hub's and one for each replica");
  for (const { pid } of holders) process.kill(pid, "SIGSTOP");
  mesh.heddle.kill("SIGKILL");
  await mesh.heddle.end();
  assert.ok(holders.every(({ pid }) => isRunning(pid)));
  const again = mesh.again(context);
  await again.heddle.line(/ is ready after /);
  await mesh.heddle.nothingLeft();
  await answers(await edgeUrl(again.heddle), `${callerUid} from back-0`);
});
