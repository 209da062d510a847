import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { parse as parseYaml } from "yaml";
import { runHeddle } from "../testing/heddle-process.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import type { Explanation } from "./explanation.ts";
import { MeshOnPaper } from "./mesh-on-paper.ts";
import { readQuestion } from "./question.ts";
import { explainSource } from "./source-side.ts";

const bookshop = fileURLToPath(new URL("../../../../examples/bookshop", import.meta.url));

const mesh = `apiVersion: heddle.dev/v1alpha1
kind: LocalMesh
metadata: { name: shop }
spec:
  edge: { service: web }
  workloads:
    - { name: web, service: web, command: [node], port: 80, calls: [api, gone.shop] }
    - { name: api-v1, service: api, version: v1, command: [node], port: 80, replicas: 2 }
    - { name: api-v2, service: api, version: v2, command: [node], port: 80 }
    - { name: gone, service: gone, namespace: shop, command: [node], port: 80, replicas: 0 }
`;

async function explain(
  context: TestContext,
  resources: string,
  method: string,
  url: string,
  from = "web",
  headers: string[] = [],
) {
  const paper = await MeshOnPaper.read(temporaryFolder(context, { "mesh.yaml": mesh, "resources.yaml": resources }));
  assert.deepEqual(
    paper.findings.filter(({ severity }) => severity === "error"),
    [],
  );
  return explainSource(paper, readQuestion(paper, { method, url, from, headers }));
}

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

const routes = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: api }
spec:
  hosts: [api]
  http:
    - name: beta
      match: [{ headers: { x-beta: { exact: "1" } } }]
      directResponse: { status: 418, body: { string: tea } }
    - name: moved
      match: [{ uri: { prefix: /old } }]
      redirect: { uri: /new }
    - name: broken
      match: [{ uri: { prefix: /broken } }]
      fault: { abort: { httpStatus: 555, percentage: { value: 100 } } }
      route: [{ destination: { host: api } }]
    - name: sometimes
      match: [{ uri: { prefix: /sometimes } }]
      fault: { abort: { httpStatus: 555, percentage: { value: 40 } } }
      retries: { attempts: 7, retryOn: 5xx }
      route: [{ destination: { host: api } }]
    - name: slow
      match: [{ uri: { prefix: /slow } }]
      fault: { delay: { fixedDelay: 5s, percentage: { value: 100 } } }
      rewrite: { uri: /fast }
      route: [{ destination: { host: api } }]
    - name: nowhere
      match: [{ uri: { prefix: /nowhere } }]
      route: [{ destination: { host: gone.shop.svc.cluster.local } }]
`;

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

const policy = (name: string, action: string, rules: string): string => `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name} }
spec:
  selector: { matchLabels: { app: api, version: v2 } }
  action: ${action}
  rules: ${rules}
---
`;

test("policies are judged at each workload that may get the request, and named with file and line", async (context) => {
  const side = await explain(
    context,
    policy("no-delete", "DENY", "[{ to: [{ operation: { methods: [DELETE] } }] }]"),
    "DELETE",
    "http://api/x",
  );
  const inbound = side.destinations.flatMap((destination) => destination.inbound);
  assert.deepEqual(
    inbound.map(({ workload, accepted }) => [workload, accepted]),
    [
      ["api-v1", true],
      ["api-v2", false],
    ],
  );
  const answer = inbound[1]?.answer;
  assert.deepEqual([answer?.status, answer?.body], [403, "RBAC: access denied"]);
  assert.deepEqual(
    [
      answer?.origin?.resource,
      answer?.origin?.rule,
      answer?.origin?.file.endsWith("resources.yaml"),
      answer?.origin?.line,
    ],
    ["AuthorizationPolicy default/no-delete", "rules[0]", true, 7],
  );
});

test("an ALLOW policy turns away an identity that it does not name", async (context) => {
  const resources = policy(
    "only-web",
    "ALLOW",
    "[{ from: [{ source: { principals: [cluster.local/ns/default/sa/web] } }] }]",
  );
  const fromWeb = await explain(context, resources, "GET", "http://api/x");
  assert.equal(
    fromWeb.destinations.every(({ inbound }) => inbound.every(({ accepted }) => accepted)),
    true,
  );
  const others = resources.replace("sa/web", "sa/somebody-else");
  const turnedAway = (await explain(context, others, "GET", "http://api/x")).destinations.flatMap(
    ({ inbound }) => inbound,
  );
  assert.deepEqual(
    turnedAway.map(({ workload, answer }) => [workload, answer?.details ?? ""]),
    [
      ["api-v1", ""],
      ["api-v2", "rbac_access_denied_matched_policy[none]"],
    ],
  );
  // No rule decided, and yet it is this policy that must be changed.
  const origin = turnedAway[1]?.answer?.origin;
  assert.deepEqual([origin?.resource, origin?.rule, origin?.line], ["AuthorizationPolicy default/only-web", "", 4]);
});

for (const { kind, text } of [
  { kind: "AuthorizationPolicy", text: "spec:\n  rulez: []\n" },
  { kind: "PeerAuthentication", text: "spec:\n  mtls: { mode: SOMETIMES }\n" },
]) {
  test(`a ${kind} that cannot be read denies, and is named with file and line`, async (context) => {
    const resources = `# first\napiVersion: security.istio.io/v1\nkind: ${kind}\nmetadata: { name: broken }\n${text}`;
    const folder = temporaryFolder(context, { "mesh.yaml": mesh, "resources.yaml": resources });
    const paper = await MeshOnPaper.read(folder);
    const side = explainSource(
      paper,
      readQuestion(paper, { method: "GET", url: "http://api/", from: "web", headers: [] }),
    );
    const answers = side.destinations.flatMap(({ inbound }) => inbound.map(({ answer }) => answer));
    assert.equal(answers.length, 2);
    for (const answer of answers) {
      assert.deepEqual(
        [answer?.status, answer?.origin?.resource, answer?.origin?.line],
        [403, `${kind} default/broken`, 2],
      );
      assert.match(answer?.hint ?? "", /could not be read/);
    }
  });
}

test("a destination whose certificate is not one that the DestinationRule accepts is refused, and the rule is named", async (context) => {
  const rule = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: api }
spec:
  host: api
  trafficPolicy:
    tls: { mode: ISTIO_MUTUAL, subjectAltNames: ["spiffe://cluster.local/ns/default/sa/other"] }
`;
  const side = await explain(context, rule, "GET", "http://api/");
  const answer = side.destinations[0]?.inbound[0]?.answer;
  assert.deepEqual([answer?.status, answer?.origin?.resource], [503, "DestinationRule default/api"]);
});

test("plaintext towards a STRICT workload names the PeerAuthentication", async (context) => {
  const resources = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: strict }
spec:
  mtls: { mode: STRICT }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: api }
spec:
  host: api
  trafficPolicy:
    tls: { mode: DISABLE }
`;
  const side = await explain(context, resources, "GET", "http://api/");
  const answer = side.destinations[0]?.inbound[0]?.answer;
  assert.deepEqual(
    [answer?.status, answer?.origin?.resource, answer?.origin?.line],
    [503, "PeerAuthentication default/strict", 5],
  );
});

test("TLS of a DestinationRule's reaches an application that takes TLS, and breaks at a proxy that takes the mesh's", async (context) => {
  const declared = (protocol: string) =>
    mesh
      .replace("service: web, command", `service: web, protocol: ${protocol}, command`)
      .replace("port: 80, calls", "port: 443, calls");
  const rule = (mode: string) => `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: web }
spec:
  host: web
  trafficPolicy:
    tls: { mode: ${mode}, caCertificates: /certs/ca.pem }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: web }
spec:
`;
  const mutual = "MUTUAL, clientCertificate: /certs/a.pem, privateKey: /certs/a.key";
  const ask = async (protocol: string, mode: string, mtls: string) => {
    const resources = `${rule(mode)}  mtls: { mode: ${mtls} }\n`;
    const paper = await MeshOnPaper.read(
      temporaryFolder(context, { "mesh.yaml": declared(protocol), "rule.yaml": resources }),
    );
    const question = readQuestion(paper, { method: "GET", url: "/", from: "edge", headers: [] });
    const [inbound] = explainSource(paper, question).destinations.flatMap((destination) => destination.inbound);
    assert.ok(inbound !== undefined && !inbound.mutualTls);
    return [inbound.security, inbound.answer?.status ?? "taken", inbound.answer?.origin?.resource ?? ""];
  };
  const taken = ["TLS", "taken", ""];
  const broken = ["TLS", 503, "DestinationRule default/web"];
  assert.deepEqual(await ask("https", "SIMPLE", "PERMISSIVE"), taken);
  assert.deepEqual(await ask("https", mutual, "PERMISSIVE"), taken);
  assert.deepEqual(await ask("https", "SIMPLE", "DISABLE"), taken);
  assert.deepEqual(await ask("https", "SIMPLE", "STRICT"), broken);
  assert.deepEqual(await ask("http", "SIMPLE", "PERMISSIVE"), broken);
  assert.deepEqual(await ask("http", "SIMPLE", "DISABLE"), broken);
});

test("a workload without a replica sends nothing", async (context) => {
  await assert.rejects(explain(context, "", "GET", "http://api/x", "gone"), /no workload "gone" with a replica/);
});

test("a service without a replica is known, and named with the line that says so", async (context) => {
  const cwd = temporaryFolder(context, { "mesh.yaml": mesh });
  for (const url of ["http://gone.shop/", "http://gone.shop:80/"]) {
    const { code, stderr } = await runHeddle(["explain", "GET", url, "--from", "web"], { cwd });
    assert.equal(code, 1);
    assert.match(stderr, /^heddle: mesh\.yaml:10: no workload of gone\.shop has a replica.* connection .*refused/);
  }
});

test("a service that does not speak HTTP is named with its protocol and line, and with what would have to change", async (context) => {
  for (const [first, second, said] of [
    ["tcp", "tcp", "tcp"],
    ["https", "https", "https"],
    ["auto", "http", "auto and http"],
  ] as const) {
    const declared = mesh
      .replace("version: v1,", `version: v1, protocol: ${first},`)
      .replace("version: v2,", `version: v2, protocol: ${second},`);
    const cwd = temporaryFolder(context, { "mesh.yaml": declared });
    const { code, stderr } = await runHeddle(["explain", "GET", "http://api/", "--from", "web"], { cwd });
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`^heddle: mesh\\.yaml:8: api\\.default speaks ${said}: its bytes .*\n→ .*\n$`));
  }
});

test("a URL without a port is told which port it is taken for; one with the port needs no word", async (context) => {
  const cwd = temporaryFolder(context, { "mesh.yaml": mesh.replaceAll("port: 80", "port: 9000") });
  const said = /the URL names no port: taken for 9000, the port of api\.default; another client would take 80/;
  assert.match((await runHeddle(["explain", "GET", "http://api/", "--from", "web"], { cwd })).stdout, said);
  assert.doesNotMatch((await runHeddle(["explain", "GET", "http://api:9000/", "--from", "web"], { cwd })).stdout, said);
});

test("a header host is what the request says of its host, as in curl; the URL says where it goes", async (context) => {
  const side = await explain(context, routes, "GET", "http://api/old", "web", ["Host: elsewhere.example"]);
  assert.equal(side.answer?.location, "http://elsewhere.example/new");
  const same = await explain(context, routes, "GET", "http://api/slow", "web", ["Host: api.default"]);
  assert.deepEqual([same.route?.name, same.route?.sent.authority], ["slow", "api.default"]);
});

test("what is wrong with the question is said before anything about the files", async (context) => {
  const cwd = temporaryFolder(context, { "mesh.yaml": mesh, "package.json": "{}" });
  const { code, stderr } = await runHeddle(["explain", "GET", "http://api/", "--from", "front"], { cwd });
  assert.equal(code, 2);
  assert.match(stderr, /^heddle: there is no workload "front"[^\n]*\n→ Workloads of shop: [^\n]*\n$/);
});

test("files that hold no resources are one line, and of many errors the first are told", async (context) => {
  const broken = (name: string): string =>
    `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: ${name} }\nspec: { hostz: [api] }\n`;
  const cwd = temporaryFolder(context, {
    "mesh.yaml": mesh,
    "package.json": "{}",
    "tsconfig.json": '{ "compilerOptions": {} }',
    "other.yaml": Array.from({ length: 12 }, (_, index) => broken(`vs-${index}`)).join("---\n"),
  });
  const { stdout, stderr } = await runHeddle(["explain", "GET", "http://api/", "--from", "web"], { cwd });
  assert.match(stdout, /→ forwarded\n$/);
  const lines = stderr.split("\n");
  assert.equal(lines.filter((line) => /^other\.yaml:\d+: error/.test(line)).length, 10);
  assert.ok(lines.includes("2 documents are no resources: package.json:1, tsconfig.json:1"), stderr);
  assert.match(stderr, /… and \d+ more: heddle validate \. tells all\n/);
});

test("a folder of several meshes is refused, and their folders are named", async (context) => {
  const cwd = temporaryFolder(context, {
    "one/mesh.yaml": mesh,
    "two/local/mesh.yaml": mesh,
    "two/routes.yaml": routes,
  });
  const { code, stderr } = await runHeddle(["explain", "GET", "http://api/", "--from", "web"], { cwd });
  assert.equal(code, 2);
  assert.match(stderr, /^heddle: \.: there are 2 LocalMesh resources here.*\n→ .* with --folder: one, two\/local\.\n$/);
});

test("the edge takes a path alone, and every host", async (context) => {
  const side = await explain(context, "", "GET", "/index.html", "edge");
  assert.equal(side.destinations[0]?.endpoints[0]?.instance, "web-0");
});

const refusals: readonly { words: readonly string[]; code: number; says: RegExp }[] = [
  { words: ["GET", "http://nope/", "--from", "web"], code: 2, says: /no service of this mesh is called "nope"/ },
  {
    words: ["GET", "http://books/", "--from", "nobody"],
    code: 2,
    says: /no workload "nobody".*\n→ Workloads of bookshop: web, books/,
  },
  {
    words: ["GET", "http://reviews:9999/", "--from", "web"],
    code: 2,
    says: /the service reviews\.default has no port 9999\n→ It has 9080\./,
  },
  { words: ["GET", "ftp://books/", "--from", "web"], code: 2, says: /not an http URL/ },
  { words: ["G T", "http://books/", "--from", "web"], code: 2, says: /not a method/ },
  { words: ["GET", "http://books/", "--from", "web", "-H", "no header"], code: 2, says: /not a header/ },
  {
    words: ["GET", "http://ratings/", "--from", "ratings"],
    code: 1,
    says: /mesh\.yaml:\d+: ratings is itself of the service/,
  },
  { words: ["get", "http://books/", "--from", "web"], code: 2, says: /methods are case-sensitive.*\n→ Write GET\./ },
  { words: ["GET", "http://books/", "--from", "web", "--folder", "mesh"], code: 3, says: /no valid LocalMesh/ },
];

for (const { words, code, says } of refusals) {
  test(`heddle explain ${words.join(" ")} says why it has no answer`, async () => {
    const cwd = words.includes("--folder") ? bookshop : undefined;
    const result = await runHeddle(
      ["explain", ...words, ...(cwd === undefined ? ["--folder", bookshop] : [])],
      cwd === undefined ? {} : { cwd },
    );
    assert.equal(result.code, code);
    assert.match(result.stderr, says);
  });
}

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
