// istio.md 4.1: every field of a source and of an operation, and every key of a condition, in a table. The caller is
// cluster.local/ns/default/sa/web at 127.0.0.1; it asks reviews.default for GET /books.
import assert from "node:assert/strict";
import { test } from "node:test";
import { allows, policy } from "../testing/authorization.ts";
import { TestMesh } from "../testing/test-mesh.ts";
import { peerOf, Traffic } from "../testing/traffic.ts";

const request = { path: "/books", authority: "reviews.default", headers: { x: "1" } };
const peer = peerOf({ namespace: "default", serviceAccount: "web" });

type Row = readonly [name: string, matching: string, other: string];

const connectionSources: readonly Row[] = [
  ["principals", "cluster.local/ns/default/sa/web", "cluster.local/ns/default/sa/nobody"],
  ["namespaces", "default", "other"],
  ["serviceAccounts", "default/web", "default/nobody"],
  ["trustDomains", "cluster.local", "other.local"],
  ["ipBlocks", "127.0.0.0/8", "10.0.0.0/8"],
  ["remoteIpBlocks", "127.0.0.1", "10.0.0.1"],
];
const connectionOperations: readonly Row[] = [["ports", "9080", "9081"]];
const requestOperations: readonly Row[] = [
  ["hosts", "reviews.default", "ratings.other"],
  ["methods", "GET", "PUT"],
  ["paths", "/books", "/authors"],
];
const connectionKeys: readonly Row[] = [
  ["source.ip", "127.0.0.1", "10.0.0.1"],
  ["remote.ip", "127.0.0.1", "10.0.0.1"],
  ["source.namespace", "default", "other"],
  ["source.principal", "cluster.local/ns/default/sa/web", "cluster.local/ns/default/sa/nobody"],
  ["source.serviceAccount", "default/web", "default/nobody"],
  ["source.trustDomain", "cluster.local", "other.local"],
  ["destination.ip", "127.0.0.1", "127.0.0.2"],
  ["destination.port", "9080", "9081"],
];
const serverName: Row = ["connection.sni", "outbound_.9080_*", "outbound_.9081_*"];
const header: Row = ["request.headers[x]", "1", "2"];

type Write = (name: string, values: readonly string[], not?: boolean) => string;

const inSource: Write = (name, values, not) => `{ from: [{ source: { ${fieldOf(name, values, not)} } }] }`;
const inOperation: Write = (name, values, not) => `{ to: [{ operation: { ${fieldOf(name, values, not)} } }] }`;
const inCondition: Write = (key, values, not) =>
  `{ when: [{ key: '${key}', ${not === true ? "notValues" : "values"}: ${JSON.stringify(values)} }] }`;

function fieldOf(name: string, values: readonly string[], not = false): string {
  return `${not ? `not${name.charAt(0).toUpperCase()}${name.slice(1)}` : name}: ${JSON.stringify(values)}`;
}

const connectionRows: readonly (readonly [Write, Row])[] = [
  ...connectionSources.map((row) => [inSource, row] as const),
  ...connectionOperations.map((row) => [inOperation, row] as const),
  ...connectionKeys.map((row) => [inCondition, row] as const),
];
const requestRows: readonly (readonly [Write, Row])[] = [
  ...requestOperations.map((row) => [inOperation, row] as const),
  [inCondition, header],
];

for (const [write, [name, matching, other]] of [
  ...connectionRows,
  ...requestRows,
  [inCondition, serverName] as const,
]) {
  test(`4.1.3 ${name} holds when one of its values matches, and its not when none does`, () => {
    const holds = (values: string[], not: boolean) => allows(write(name, values, not), request);
    assert.deepEqual([holds([other, matching], false), holds([other], false)], [true, false]);
    assert.deepEqual([holds([other, matching], true), holds([other], true)], [false, true]);
  });
}

function connection(resources: string) {
  const mesh = new TestMesh(resources, { change: (instance) => ({ ...instance, protocol: "tcp" }) });
  return new Traffic(mesh).connect("reviews-v1-0", "web-0");
}

function connects(rule: string, action: "ALLOW" | "DENY"): boolean {
  return connection(policy(`[${rule}]`, { action })).allowed;
}

for (const [write, [name, matching, other]] of connectionRows) {
  test(`4.1.8 ${name} can be answered on an opaque port, and holds there`, () => {
    assert.deepEqual(
      [connects(write(name, [matching]), "ALLOW"), connects(write(name, [other]), "ALLOW")],
      [true, false],
    );
    assert.deepEqual(
      [connects(write(name, [matching]), "DENY"), connects(write(name, [other]), "DENY")],
      [false, true],
    );
  });
}

for (const [write, [name, matching, other]] of requestRows) {
  test(`4.1.8 ${name} cannot be answered on an opaque port: it allows nobody, and denies whoever the rest of its rule denies`, () => {
    for (const not of [false, true]) {
      for (const value of [matching, other]) {
        assert.equal(connects(write(name, [value], not), "ALLOW"), false);
        assert.equal(connects(write(name, [value], not), "DENY"), false);
      }
    }
  });
}

test("4.1.8 connection.sni can be answered on an opaque port, also when the client named no server", () => {
  const [name, , other] = serverName;
  assert.equal(connects(inCondition(name, [other]), "ALLOW"), false);
  assert.equal(connects(inCondition(name, [other], true), "ALLOW"), true);
});

test("4.1.4 namespaces begin and end where a segment of the identity does, and an asterisk may reach beyond it, as in Istio", () => {
  const cases: [string, boolean][] = [
    ["default", true],
    ["defaul", false],
    ["efault", false],
    ["*efault", true],
    ["de*sa", true],
  ];
  for (const [pattern, expected] of cases) {
    assert.equal(allows(inSource("namespaces", [pattern])), expected, pattern);
    assert.equal(allows(inCondition("source.namespace", [pattern])), expected, pattern);
  }
});

test("4.1.4 the asterisk of a trust domain ends where the trust domain does, and may stand for nothing", () => {
  const cases: [string, boolean][] = [
    ["cluster.local*", true],
    ["*cluster.local", true],
    ["*.loca", false],
    ["clust.r*", false],
    ["*default", false],
  ];
  for (const [pattern, expected] of cases) assert.equal(allows(inSource("trustDomains", [pattern])), expected, pattern);
  const unnamed = "spiffe:///ns/default/sa/web";
  const traffic = new Traffic(new TestMesh(policy(`[${inSource("trustDomains", ["*"])}]`)));
  const { status } = traffic.callInbound("reviews-v1-0", { peer: { ...peer, principal: unnamed, uriSans: [unnamed] } });
  assert.equal(status, 403);
});

test("4.1.4 a service account is of any trust domain, and of no deeper path", () => {
  const accounts = policy(`[${inSource("serviceAccounts", ["default/web"])}]`);
  const cases: [string, number][] = [
    ["spiffe://cluster.local/ns/default/sa/web", 200],
    ["spiffe://other.example/ns/default/sa/web", 200],
    ["spiffe://cluster.local/ns/other/sa/x/ns/default/sa/web", 403],
    ["spiffe://cluster.local/ns/default/sa/web/x", 403],
    ["spiffe:///ns/default/sa/web", 403],
  ];
  const traffic = new Traffic(new TestMesh(accounts));
  for (const [principal, expected] of cases) {
    const { status } = traffic.callInbound("reviews-v1-0", { peer: { ...peer, principal, uriSans: [principal] } });
    assert.equal(status, expected, principal);
  }
  assert.equal(allows(inSource("serviceAccounts", ["w.b"])), false);
});

test("4.1.4 a principal's suffix is plain text, and does not reach into spiffe://", () => {
  const cases: [string, boolean][] = [
    ["*cluster.local/ns/default/sa/web", true],
    ["*/cluster.local/ns/default/sa/web", false],
    ["*/sa/w.b", false],
  ];
  for (const [pattern, expected] of cases) assert.equal(allows(inSource("principals", [pattern])), expected, pattern);
});

test("4.1.4 the server name * is any, but not none", () => {
  const named = inCondition("connection.sni", ["*"]);
  assert.equal(allows(named), true);
  const unnamed = new Traffic(new TestMesh(policy(`[${named}]`))).callInbound("reviews-v1-0", { peer });
  assert.equal(unnamed.status, 403);
});

test("4.1.4 a single address is one address, in every family", () => {
  const cases: [string, string, boolean][] = [
    ["10.0.0.1", "10.0.0.1", true],
    ["10.0.0.1", "10.0.0.2", false],
    ["2001:db8::1", "2001:db8::1", true],
    ["2001:db8::1", "2001:db8::2", false],
    ["::ffff:10.0.0.1", "10.0.0.1", true],
    ["::ffff:10.0.0.1", "10.0.0.2", false],
  ];
  for (const [block, remote, expected] of cases) {
    const traffic = new Traffic(new TestMesh(policy(`[${inSource("ipBlocks", [block])}]`)));
    assert.equal(traffic.callInbound("reviews-v1-0", { peer, remote }).status === 200, expected, `${block} ${remote}`);
  }
});

test("4.1.5 {*} and {**} stand for the characters of a path's segments, the asterisk not among them", () => {
  const all = "Az09-._~!$&'()+,;:@=%2F";
  const cases: [string, string, boolean][] = [
    ["/books/{*}", `/books/${all}`, true],
    ["/books/{**}", `/books/${all}/${all}`, true],
    ["/books/{*}", "/books/a*", false],
    ["/books/{**}", "/books/a*", false],
  ];
  for (const [pattern, path, expected] of cases)
    assert.equal(allows(inOperation("paths", [pattern]), { path }), expected, `${pattern} ${path}`);
});

test("4.1.10 what a dry run would have done stands under a prefix of its action's own", () => {
  const tried = (action: "ALLOW" | "DENY") => policy("[{}]", { name: action.toLowerCase(), action, dryRun: "true" });
  const { allowed, shadows } = connection(tried("ALLOW") + tried("DENY"));
  assert.equal(allowed, true);
  assert.deepEqual(shadows, [
    { statPrefix: "istio_dry_run_deny_", policy: "ns[default]-policy[deny]-rule[0]", result: "denied" },
    { statPrefix: "istio_dry_run_allow_", policy: "ns[default]-policy[allow]-rule[0]", result: "allowed" },
  ]);
});
