import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { explain, mesh, policy, routes } from "../testing/explained-mesh.ts";
import { runHeddle } from "../testing/heddle-process.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

const bookshop = fileURLToPath(new URL("../../../../examples/bookshop", import.meta.url));

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

test("a call of a workload to its own service is explained as where it has an address of its own, and refused where it has none", async (context) => {
  const words = ["explain", "GET", "http://api:80/", "--from", "api-v1"];
  const note = /in namespaces mode; in ports mode calls of api-v1 to its own service pass no proxy/;
  const either = await runHeddle(words, { cwd: temporaryFolder(context, { "mesh.yaml": mesh }) });
  assert.equal(either.code, 0);
  assert.match(either.stdout, note);
  const inMode = (mode: string) => ({ "mesh.yaml": mesh.replace("spec:", `spec:\n  mode: ${mode}`) });
  const denied = { "deny.yaml": policy("closed", "DENY", "[{}]") };
  const namespaces = await runHeddle(words, {
    cwd: temporaryFolder(context, { ...inMode("namespaces"), ...denied }),
  });
  assert.equal(namespaces.code, 1);
  assert.match(namespaces.stdout, /deny\.yaml:\d+/);
  assert.doesNotMatch(namespaces.stdout, note);
  const ports = await runHeddle(words, { cwd: temporaryFolder(context, inMode("ports")) });
  assert.equal(ports.code, 1);
  assert.match(
    ports.stderr,
    /mesh\.yaml:9: api-v1 is itself of the service api\.default, and in ports mode calls within a service pass no proxy/,
  );
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
