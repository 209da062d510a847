import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse as parseYaml } from "yaml";
import { explain, mesh, policy, routes } from "../testing/explained-mesh.ts";
import { runHeddle } from "../testing/heddle-process.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import type { Explanation } from "./explanation.ts";

const bookshop = fileURLToPath(new URL("../../../../examples/bookshop", import.meta.url));

test("a request for another protocol is switched where it is let through, and refused where it is not", async (context) => {
  const folder = temporaryFolder(context, { "mesh.yaml": mesh });
  const ask = (protocol: string) =>
    runHeddle(["explain", "GET", "http://api/", "--from", "web", "-H", `upgrade: ${protocol}`, "--folder", folder]);
  const websocket = await ask("websocket");
  assert.equal(websocket.code, 0);
  assert.match(websocket.stdout, /switched to websocket when the application agrees/);
  const other = await ask("foo/2");
  assert.equal(other.code, 1);
  assert.match(
    other.stdout,
    /× the mesh answers 403 \(upgrade_failed\)\n.*neither its route nor the listener names in upgrade_configs/,
  );
  // The proxy passes an offer of HTTP/2 over, and takes no request that has none for one.
  const side = await explain(context, "", "GET", "http://api/", "web", ["connection: upgrade", "upgrade: h2c"]);
  assert.equal(side.route?.upgrade, "");
  assert.equal((await explain(context, "", "CONNECT", "http://api/")).answer?.status, 403);
});

test("a weighted route shows each of its ways with share, subset and the replicas behind it", async (context) => {
  const side = await explain(
    context,
    `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: api }
spec:
  host: api
  subsets:
    - name: v1
      labels: { version: v1 }
    - name: v2
      labels: { version: v2 }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: api }
spec:
  hosts: [api]
  http:
    - name: split
      timeout: 3s
      route:
        - destination: { host: api, subset: v1 }
          weight: 75
        - destination: { host: api, subset: v2 }
          weight: 25
`,
    "GET",
    "http://api/",
  );
  assert.deepEqual(
    side.destinations.map(({ cluster, percent, endpoints, origin }) => [
      cluster,
      percent,
      endpoints.map(({ instance }) => instance),
      origin?.line,
    ]),
    [
      ["outbound|80|v1|api.default.svc.cluster.local", 75, ["api-v1-0", "api-v1-1"], 7],
      ["outbound|80|v2|api.default.svc.cluster.local", 25, ["api-v2-0"], 9],
    ],
  );
  assert.deepEqual(
    [side.route?.name, side.route?.origin?.line, side.route?.timeoutMs, side.route?.timeoutOrigin?.line],
    ["split", 18, 3000, 19],
  );
  assert.equal(
    side.destinations.every(({ inbound }) => inbound.every(({ accepted, mutualTls }) => accepted && mutualTls)),
    true,
  );
});

test("a setting that begins its entry has its line", async (context) => {
  const resources = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: api }
spec:
  hosts: [api]
  http:
    - retries: { attempts: 3 }
      route: [{ destination: { host: api } }]
`;
  const { route } = await explain(context, resources, "GET", "http://api/", "web");
  assert.deepEqual([route?.retries?.attempts, route?.retries?.origin?.line], [3, 7]);
  assert.equal(route?.timeoutOrigin, null);
});

const questions: readonly {
  title: string;
  path: string;
  headers?: string[];
  route: string;
  answer?: readonly [status: number, flags: string];
}[] = [
  { title: "a header chooses a direct response", path: "/", headers: ["X-Beta: 1"], route: "beta", answer: [418, ""] },
  { title: "a redirect is an answer of the mesh", path: "/old/page", route: "moved", answer: [301, ""] },
  { title: "a fault that always strikes is the answer", path: "/broken", route: "broken", answer: [555, "FI"] },
  { title: "a fault that strikes sometimes is told as a chance", path: "/sometimes", route: "sometimes" },
  { title: "a delay does not hinder the request", path: "/slow/1", route: "slow" },
];

for (const { title, path, headers = [], route, answer } of questions) {
  test(title, async (context) => {
    const side = await explain(context, routes, "GET", `http://api${path}`, "web", headers);
    const chosen = side.steps.find(({ kind, matched }) => kind === "route" && matched);
    assert.equal(chosen?.name, route);
    assert.equal(chosen?.origin?.resource, "VirtualService default/api");
    assert.deepEqual(side.answer === null ? undefined : [side.answer.status, side.answer.flags.join()], answer);
    if (route === "sometimes") {
      const { origin, ...fault } = side.route?.faults[0] ?? {};
      assert.deepEqual(fault, { kind: "abort", percent: 40, delayMs: 0, status: 555 });
      assert.deepEqual([origin?.rule, origin?.line], ["http[3].fault", 19]);
      assert.deepEqual([side.route?.retries?.attempts, side.route?.retries?.origin?.line], [7, 20]);
    }
    if (route === "broken")
      assert.deepEqual([side.answer?.origin?.rule, side.answer?.origin?.line], ["http[2].fault", 15]);
    if (route === "slow") assert.equal(side.route?.sent.path, "/fast/1");
  });
}

test("the routes above the one that matches say why they do not", async (context) => {
  const { steps } = await explain(context, routes, "GET", "http://api/sometimes");
  const passed = steps.filter(({ kind, matched }) => kind === "route" && !matched);
  assert.deepEqual(
    passed.map(({ name }) => name),
    ["beta", "moved", "broken"],
  );
  for (const { why, origin } of passed) assert.ok(why !== "" && origin !== null);
});

test("a request that no route of a VirtualService matches gets the mesh's 404", async (context) => {
  const { answer } = await explain(context, routes, "GET", "http://api/else");
  assert.deepEqual([answer?.status, answer?.flags], [404, ["NR"]]);
  assert.match(answer?.hint ?? "", /^No match entry covers GET \/else: /);
  // Whoever reads this has asked `heddle explain`.
  assert.doesNotMatch(answer?.hint ?? "", /heddle explain/);
});

test("a destination without a replica answers 503 from the client's own proxy", async (context) => {
  const side = await explain(context, routes, "GET", "http://api/nowhere");
  const answer = side.destinations[0]?.answer ?? side.answer;
  assert.equal(answer?.status, 503);
});

test("cluster and endpoints name where the service is declared, and a DestinationRule where one decides", async (context) => {
  const rule = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: api }
spec:
  host: api
  trafficPolicy: { loadBalancer: { simple: RANDOM } }
`;
  const declared = (index: number) => ({
    resource: "LocalMesh default/shop",
    rule: `workloads[${index}]`,
    file: "mesh.yaml",
    line: index + 7,
  });
  const cwd = temporaryFolder(context, { "mesh.yaml": mesh });
  const ask = (output: string) =>
    runHeddle(["explain", "GET", "http://api/", "--from", "web", "--output", output], { cwd });
  const [table, yaml, json] = await Promise.all([ask("table"), ask("yaml"), ask("json")]);
  // JSON is YAML, too.
  for (const { stdout } of [yaml, json]) {
    const [destination] = (parseYaml(stdout) as Explanation).destinations;
    assert.deepEqual(destination?.origin, declared(1));
    assert.deepEqual(
      destination?.endpoints.map(({ instance, origin }) => [instance, origin]),
      [
        ["api-v1-0", declared(1)],
        ["api-v1-1", declared(1)],
        ["api-v2-0", declared(2)],
      ],
    );
  }
  const { stdout } = table;
  assert.match(stdout, /^outbound\|80\|\|api\S+ \[LocalMesh default\/shop workloads\[1\], mesh\.yaml:8\]$/m);
  assert.match(stdout, /^ {4}api-v1-0, api-v1-1 \[LocalMesh default\/shop workloads\[1\], mesh\.yaml:8\]$/m);
  assert.match(stdout, /^ {4}api-v2-0 \[LocalMesh default\/shop workloads\[2\], mesh\.yaml:9\]$/m);

  const [ruled] = (await explain(context, rule, "GET", "http://api/")).destinations;
  assert.equal(ruled?.origin?.resource, "DestinationRule default/api");
});

test("the exit code is 0 for a request that is forwarded and 1 for one that the mesh answers, in text and JSON", async () => {
  const forwarded = await runHeddle([
    "explain",
    "GET",
    "http://reviews:9080/reviews/1",
    "--from",
    "web",
    "--folder",
    bookshop,
  ]);
  assert.equal(forwarded.code, 0);
  assert.match(forwarded.stdout, /route canary: .*mesh\/reviews\.yaml:\d+/);
  assert.match(forwarded.stdout, /v2\|reviews.*10 % of the requests/);
  assert.match(forwarded.stdout, /→ forwarded\n$/);
  const denied = await runHeddle([
    "explain",
    "DELETE",
    "http://books/books/1",
    "--from",
    "web",
    "--folder",
    bookshop,
    "--output",
    "json",
  ]);
  assert.equal(denied.code, 1);
  const explanation = JSON.parse(denied.stdout) as Explanation;
  assert.deepEqual([explanation.forwarded, explanation.request.from], [false, "web"]);
  assert.equal(
    explanation.destinations[0]?.inbound[0]?.answer?.origin?.resource,
    "AuthorizationPolicy default/books-no-delete",
  );
});

test("an answer that a resource asks for is no refusal, and what decided is marked", async (context) => {
  const cwd = temporaryFolder(context, {
    "mesh.yaml": mesh,
    "routes.yaml": routes,
    "policy.yaml": policy("no-delete", "DENY", "[{ to: [{ operation: { methods: [DELETE] } }] }]"),
  });
  const moved = await runHeddle(["explain", "GET", "http://api/old", "--from", "web"], { cwd });
  assert.equal(moved.code, 0);
  assert.match(moved.stdout, /√ the mesh answers 301 to http:\/\/api\/new .*http\[1\]\.redirect, routes\.yaml:12/);
  assert.match(moved.stdout, /→ answered with 301, as its route says\n$/);
  const denied = await runHeddle(["explain", "DELETE", "http://api/slow", "--from", "web"], { cwd });
  assert.equal(denied.code, 1);
  assert.match(denied.stdout, /√ the proxy of api-v2: mutual TLS/);
  assert.match(denied.stdout, /× deny policy no-delete matches \[AuthorizationPolicy default\/no-delete rules\[0\]/);
});

test("resources with errors are left out and told on standard error", async (context) => {
  const cwd = temporaryFolder(context, {
    "mesh.yaml": mesh,
    "bad.yaml": routes.replace("hosts: [api]", "hostz: [api]"),
  });
  const { code, stdout, stderr } = await runHeddle(["explain", "GET", "http://api/broken", "--from", "web"], { cwd });
  assert.match(stderr, /^bad\.yaml:5: error/);
  assert.deepEqual([code, stdout.includes("→ forwarded")], [0, true]);
});
