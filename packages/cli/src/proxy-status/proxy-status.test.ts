import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import type { ProxiesResponse, ProxyTypeRow } from "@heddle/control-plane/admin-api";
import { atEnd } from "../testing/at-end.ts";
import { HeddleProcess, runHeddle } from "../testing/heddle-process.ts";
import { smallMesh } from "../testing/small-mesh.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { formatProxies } from "./proxy-status.ts";

test("a running mesh is found from its folder, from below it, and by --mesh; every proxy is in sync", {
  timeout: 110_000,
}, async (context) => {
  const folder = temporaryFolder(context, smallMesh);
  const below = join(folder, "src/deep");
  mkdirSync(below, { recursive: true });
  const heddle = new HeddleProcess(["up", folder, "--mode", "ports"]);
  atEnd(context, () => heddle.dispose());
  await heddle.line(/is ready after/);

  const here = await runHeddle(["proxy-status"], { cwd: folder });
  assert.deepEqual([here.code, here.stderr], [0, ""], here.stdout);
  const [titles, ...rows] = here.stdout.split("\n");
  assert.match(titles ?? "", /^PROXY +IDENTITY +CONNECTED +CDS +EDS +LDS +RDS$/);
  for (const name of ["back-0", "edge", "front-0"])
    assert.ok(
      rows.some((row) => new RegExp(`^${name} +spiffe://\\S+ +yes +SYNCED +`).test(row)),
      here.stdout,
    );
  assert.match(here.stdout, /√ all 3 proxies have configuration \d+\n$/);

  const json = await runHeddle(["proxy-status", "--output", "json"], { cwd: below });
  const { proxies } = JSON.parse(json.stdout) as ProxiesResponse;
  assert.deepEqual(proxies.map(({ id, isSynced }) => `${id} ${isSynced}`).sort(), [
    "back-0 true",
    "edge true",
    "front-0 true",
  ]);
  const elsewhere = await runHeddle(["proxy-status", "--mesh", folder], { cwd: temporaryFolder(context) });
  assert.equal(elsewhere.code, 0, elsewhere.stderr);

  // A second control plane over the same state would write over the first one's.
  const second = await runHeddle(["control-plane", "--folder", folder]);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /another control plane \(process \d+\) runs with the state folder/);

  heddle.kill("SIGTERM");
  assert.equal(await heddle.end(), 0);
  const over = await runHeddle(["proxy-status"], { cwd: folder });
  assert.equal(over.code, 4);
  assert.match(over.stderr, /no mesh runs here, nor in a folder above\n→ Start it with heddle up/);
});

test("what a proxy brought from an earlier control plane is no less in sync than what it was sent", () => {
  const type = (name: string, sentVersion: string, isSynced: boolean): ProxyTypeRow => {
    const ackedVersion = isSynced ? sentVersion : "";
    return {
      type: `type.googleapis.com/envoy.config.${name}`,
      sentVersion,
      ackedVersion,
      isSynced,
      subscribed: 1,
      lastError: "",
    };
  };
  const table = formatProxies(
    {
      configVersion: 1,
      proxies: [
        {
          id: "web-0",
          identity: "spiffe://a/ns/b/sa/web",
          isReady: true,
          isConnected: true,
          isSynced: true,
          problem: "",
          connectedAtMs: 1,
          types: [
            type("cluster.v3.Cluster", "1", true),
            type("endpoint.v3.ClusterLoadAssignment", "", true),
            type("listener.v3.Listener", "1", false),
            type("route.v3.RouteConfiguration", "", false),
          ],
        },
      ],
    },
    (_, text) => text,
  );
  assert.match(table, /^web-0 +\S+ +yes +SYNCED +UNCHANGED +STALE +NOT SENT$/m);
});

test("a run file whose port is another program's by now is no running mesh, whatever that answers", async (context) => {
  const folder = temporaryFolder(context, { ".heddle/run.json": "" });
  for (const [status, body] of [
    [401, ""],
    [200, "<html>"],
  ] as const) {
    const other = createServer((_, response) => response.writeHead(status).end(body));
    context.after(() => other.close());
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const adminAddress = `127.0.0.1:${(other.address() as AddressInfo).port}`;
    const run = { formatVersion: 1, pid: 4_194_303, adminAddress, token: "a-secret-token" };
    writeFileSync(join(folder, ".heddle/run.json"), JSON.stringify(run));
    const { code, stderr } = await runHeddle(["proxy-status", "--mesh", folder]);
    assert.equal(code, 4, stderr);
    assert.match(stderr, /run\.json: its control plane, process 4194303, is not what answers/);
  }
});

test("a run file whose process is gone, and one that cannot be understood, are told apart", async (context) => {
  const folder = temporaryFolder(context);
  mkdirSync(join(folder, ".heddle"));
  const write = (run: object): void => writeFileSync(join(folder, ".heddle/run.json"), JSON.stringify(run));
  write({ formatVersion: 1, pid: 4_194_303, adminAddress: "127.0.0.1:1", token: "a-secret-token" });
  const gone = await runHeddle(["proxy-status", "--mesh", folder]);
  assert.equal(gone.code, 4);
  assert.match(gone.stderr, /run\.json: its control plane, process 4194303, does not answer/);
  assert.doesNotMatch(gone.stderr, /a-secret-token/);
  write({ formatVersion: 9 });
  const newer = await runHeddle(["proxy-status", "--mesh", folder]);
  assert.deepEqual([newer.code, newer.stdout], [1, ""]);
  assert.match(newer.stderr, /format version 9 is not known to this Heddle\n→ Use the version that runs the mesh/);
  write({});
  const unreadable = await runHeddle(["proxy-status", "--mesh", folder]);
  assert.equal(unreadable.code, 1);
  assert.match(unreadable.stderr, /it cannot be told whether a mesh runs: it has no format version/);
});
