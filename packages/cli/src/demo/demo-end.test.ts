import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { readProxyState } from "../local-mesh/proxy-state.ts";
import { atEnd } from "../testing/at-end.ts";
import { HeddleProcess, runHeddle } from "../testing/heddle-process.ts";
import { nothingStays, openDemo } from "../testing/live-demo.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { readSamples } from "./prometheus-text.ts";

const edge = "spiffe://cluster.local/ns/istio-system/sa/edge";
const web = "spiffe://cluster.local/ns/default/sa/web";
const books = "spiffe://cluster.local/ns/default/sa/books";

/** Whose requests to whom the proxy of a replica has counted, by the principals of both ends. */
async function countedBy(folder: string, replica: string): Promise<Set<string>> {
  const state = await readProxyState(join(folder, ".heddle/proxies", replica));
  const text = await (await fetch(`http://${state?.adminAddress}/stats/prometheus`)).text();
  const counted = readSamples(text, (name) => name === "istio_requests_total").filter(({ value }) => value > 0);
  return new Set(
    counted.map(
      ({ labels }) => `${labels["reporter"]}: ${labels["source_principal"]} → ${labels["destination_principal"]}`,
    ),
  );
}

test("the demo shows its page and a table of traffic, its proxies count by the principals of both ends, and Ctrl-C leaves nothing", {
  timeout: 115_000,
}, async (context) => {
  const live = await openDemo(context);
  const { heddle, url } = live;
  const page = await fetch(url);
  assert.deepEqual([page.status, page.headers.get("content-type")], [200, "text/html; charset=utf-8"]);
  assert.match(await page.text(), /<h1>Bookshop<\/h1>/);
  await heddle.line(/^SERVICE +SUCCESS +RPS +P50 MS +P95 MS +P99 MS$/);
  for (const service of ["authors", "books", "ratings", "reviews", "web"])
    await heddle.line(new RegExp(`^${service} .* %  +[\\d.]+`));
  // The table is made of what they count: the page and its calls are in it.
  const counted = {
    edge: await countedBy(live.folder, "edge"),
    web: await countedBy(live.folder, "web-0"),
    books: await countedBy(live.folder, "books-0"),
  };
  assert.ok(counted.edge.has(`source: ${edge} → ${web}`), [...counted.edge].join("\n"));
  for (const line of [`destination: ${edge} → ${web}`, `source: ${web} → ${books}`])
    assert.ok(counted.web.has(line), [...counted.web].join("\n"));
  assert.ok(counted.books.has(`destination: ${web} → ${books}`), [...counted.books].join("\n"));
  assert.ok(!heddle.stdout.includes("\u001b"), "in a pipe nothing is drawn over, and nothing has colour");
  heddle.kill("SIGINT");
  assert.equal(await heddle.end(), 0);
  await nothingStays(live);
});

test("a demo that cannot have namespaces says why at its start", { timeout: 60_000 }, async (context) => {
  const temporary = temporaryFolder(context);
  // Who is root is told of the user; others, that they are not root.
  const env = { TMPDIR: temporary, SUDO_UID: "1337", SUDO_GID: "1337" };
  const heddle = new HeddleProcess(["demo", "--port", "0"], { env });
  atEnd(context, () => heddle.dispose());
  await heddle.line(/^mode ports: .* Mode namespaces, which isolates, is not possible: ./);
  heddle.kill("SIGINT");
  assert.equal(await heddle.end(), 0);
});

test("a port in use is named with the remedy, and nothing was started", { timeout: 30_000 }, async (context) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const temporary = temporaryFolder(context);
  const { code, stderr } = await runHeddle(["demo", "--mode", "ports", "--port", String(port)], {
    env: { TMPDIR: temporary },
  });
  assert.equal(code, 1);
  assert.match(
    stderr,
    new RegExp(`^heddle: port ${port} on 127\\.0\\.0\\.1 is in use: .*\n→ Choose another with --port`),
  );
  assert.deepEqual(readdirSync(temporary), []);
});
