// istio.md 4.1: AuthorizationPolicy, rule by rule. Calls go through the compiled configuration of two proxies.
import assert from "node:assert/strict";
import { test } from "node:test";
import { allows, call, deny, policy, type PolicyFields } from "../testing/authorization.ts";
import { httpFilterNames, TestMesh } from "../testing/test-mesh.ts";
import { peerOf, Traffic } from "../testing/traffic.ts";

const everything = "[{}]";
const gets = "[{ to: [{ operation: { methods: [GET] } }] }]";

test("4.1.1 DENY is asked before ALLOW: whatever a DENY matches is denied, though an ALLOW matches it, too", () => {
  const both = policy(everything, { name: "allow" }) + policy(gets, { name: "deny", ...deny });
  const denied = call(both, { method: "GET" });
  assert.deepEqual([denied.status, denied.body], [403, "RBAC: access denied"]);
  assert.equal(denied.details, "rbac_access_denied_matched_policy[ns[default]-policy[deny]-rule[0]]");
  assert.equal(call(both, { method: "POST" }).status, 200);
});

test("4.1.1 what a DENY matches is denied in its name, also when no ALLOW would have let it in", () => {
  const both =
    policy(gets, { name: "allow" }) +
    policy("[{ to: [{ operation: { methods: [PUT] } }] }]", { name: "deny", ...deny });
  assert.equal(
    call(both, { method: "PUT" }).details,
    "rbac_access_denied_matched_policy[ns[default]-policy[deny]-rule[0]]",
  );
  assert.equal(call(both, { method: "POST" }).details, "rbac_access_denied_matched_policy[none]");
});

test("4.1.1 without an ALLOW policy on the workload everything that no DENY matches is allowed", () => {
  assert.equal(call("").status, 200);
  const only = policy(gets, deny);
  assert.equal(call(only, { method: "POST" }).status, 200);
  const chain = new TestMesh(only).inbound("reviews-v1-0").filterChains[0];
  assert.ok(chain);
  assert.deepEqual(
    httpFilterNames(chain).filter((name) => name.startsWith("istio.authorization")),
    ["istio.authorization.deny"],
  );
});

test("4.1.1 with an ALLOW policy on the workload what none matches is denied", () => {
  const denied = call(policy(gets), { method: "POST" });
  assert.deepEqual([denied.status, denied.details], [403, "rbac_access_denied_matched_policy[none]"]);
  assert.equal(call(policy(gets), { method: "GET" }).status, 200);
  assert.equal(
    call(policy(gets) + policy("[{ to: [{ operation: { methods: [POST] } }] }]", { name: "q" }), { method: "POST" })
      .status,
    200,
  );
});

test("4.1.1 a policy without action is ALLOW", () => {
  assert.equal(call(policy(gets).replace("action: ALLOW", ""), { method: "POST" }).status, 403);
});

test("4.1.2 scope: root namespace = mesh, namespace = its workloads, selector = workloads with its labels", () => {
  const scopes: [PolicyFields, boolean, boolean, boolean][] = [
    // reviews-v1, reviews-v2, ratings (in the namespace other)
    [{ namespace: "istio-system" }, true, true, true],
    [{ namespace: "default" }, true, true, false],
    [{ namespace: "other" }, false, false, true],
    [{ namespace: "default", labels: "version: v1" }, true, false, false],
    [{ namespace: "default", labels: "app: reviews, version: v2" }, false, true, false],
    [{ namespace: "other", labels: "app: reviews" }, false, false, false],
    [{ namespace: "istio-system", labels: "version: v1" }, true, false, true],
  ];
  for (const [fields, ...expected] of scopes) {
    const traffic = new Traffic(new TestMesh(policy(everything, { ...fields, ...deny })));
    const denied = ["reviews-v1-0", "reviews-v2-0", "ratings-0"].map(
      (id) => traffic.callInbound(id, { peer: peerOf({ namespace: "default", serviceAccount: "web" }) }).status === 403,
    );
    assert.deepEqual(denied, expected, JSON.stringify(fields));
  }
});

test("4.1.2 mesh-wide policies hold at the edge, and are decided by its own port there", () => {
  const mesh = (port: number) =>
    policy(`[{ to: [{ operation: { methods: [TRACE], ports: ["${port}"] } }] }]`, {
      namespace: "istio-system",
      ...deny,
    });
  const outside = (resources: string) => new Traffic(new TestMesh(resources)).call({ from: "edge", method: "TRACE" });
  assert.deepEqual([outside(mesh(8080)).status, outside(mesh(8080)).cluster], [403, ""]);
  assert.equal(outside(mesh(8081)).cluster, "outbound|8080||web.default.svc.cluster.local");
});

test("4.1.3 a policy without rules never matches: ALLOW denies all, DENY nothing", () => {
  for (const rules of [undefined, "[]"]) {
    assert.equal(call(policy(rules)).status, 403);
    assert.equal(call(policy(rules, deny)).status, 200);
  }
});

test("4.1.3 the rule {} matches everything", () => {
  assert.equal(call(policy(everything)).status, 200);
  assert.equal(call(policy(everything, deny)).status, 403);
});

test("4.1.3 rules of a policy are OR", () => {
  const two = policy(
    "[{ to: [{ operation: { methods: [PUT] } }] }, { to: [{ operation: { methods: [GET] } }] }]",
    deny,
  );
  assert.equal(
    call(two, { method: "GET" }).details,
    "rbac_access_denied_matched_policy[ns[default]-policy[p]-rule[1]]",
  );
  assert.equal(
    call(two, { method: "PUT" }).details,
    "rbac_access_denied_matched_policy[ns[default]-policy[p]-rule[0]]",
  );
  assert.equal(call(two, { method: "POST" }).status, 200);
});

const web = "{ source: { principals: [cluster.local/ns/default/sa/web] } }";
const nobody = "{ source: { principals: [cluster.local/ns/default/sa/nobody] } }";
const get = "{ operation: { methods: [GET] } }";
const put = "{ operation: { methods: [PUT] } }";
const header = "{ key: 'request.headers[x]', values: ['1'] }";

test("4.1.3 from AND to AND when", () => {
  const headers = { x: "1" };
  assert.equal(allows(`{ from: [${web}], to: [${get}], when: [${header}] }`, { headers }), true);
  assert.equal(allows(`{ from: [${nobody}], to: [${get}], when: [${header}] }`, { headers }), false);
  assert.equal(allows(`{ from: [${web}], to: [${put}], when: [${header}] }`, { headers }), false);
  assert.equal(allows(`{ from: [${web}], to: [${get}], when: [${header}] }`, { headers: { x: "2" } }), false);
});

test("4.1.3 entries of from and of to are OR, entries of when AND", () => {
  assert.equal(allows(`{ from: [${nobody}, ${web}] }`), true);
  assert.equal(allows(`{ to: [${put}, ${get}] }`), true);
  const second = "{ key: 'request.headers[y]', values: ['1'] }";
  assert.equal(allows(`{ when: [${header}, ${second}] }`, { headers: { x: "1" } }), false);
  assert.equal(allows(`{ when: [${header}, ${second}] }`, { headers: { x: "1", y: "1" } }), true);
});

test("4.1.3 fields of a source and of an operation are AND, values of a field OR", () => {
  assert.equal(allows("{ to: [{ operation: { methods: [GET], paths: [/a] } }] }", { path: "/a" }), true);
  assert.equal(allows("{ to: [{ operation: { methods: [GET], paths: [/a] } }] }", { path: "/b" }), false);
  assert.equal(allows("{ to: [{ operation: { methods: [PUT, GET] } }] }"), true);
  assert.equal(
    allows("{ from: [{ source: { namespaces: [default], principals: [cluster.local/ns/default/sa/web] } }] }"),
    true,
  );
  assert.equal(
    allows("{ from: [{ source: { namespaces: [other], principals: [cluster.local/ns/default/sa/web] } }] }"),
    false,
  );
  assert.equal(allows("{ from: [{ source: { namespaces: [other, default] } }] }"), true);
});

test("4.1.3 a not field holds when none of its values matches", () => {
  assert.equal(allows("{ to: [{ operation: { notMethods: [PUT, DELETE] } }] }", { method: "GET" }), true);
  assert.equal(allows("{ to: [{ operation: { notMethods: [PUT, DELETE] } }] }", { method: "DELETE" }), false);
  assert.equal(allows("{ from: [{ source: { notPrincipals: [cluster.local/ns/default/sa/web] } }] }"), false);
  assert.equal(allows("{ from: [{ source: { notNamespaces: [other] } }] }"), true);
});

test("4.1.3 each of the values of a not field is excluded, not only the first", () => {
  for (const names of ["nobody, cluster.local/ns/default/sa/web", "cluster.local/ns/default/sa/web, nobody"])
    assert.equal(allows(`{ from: [{ source: { notPrincipals: [${names}] } }] }`), false, names);
  assert.equal(allows("{ from: [{ source: { notPrincipals: [nobody, somebody] } }] }"), true);
});

test("4.1.3 values and notValues of one key are ANDed", () => {
  const both = "{ when: [{ key: 'request.headers[x]', values: ['a*'], notValues: ['abc'] }] }";
  assert.deepEqual(
    ["ab", "abc", "b"].map((x) => allows(both, { headers: { x } })),
    [true, false, false],
  );
  const operation = "{ to: [{ operation: { paths: [/a*], notPaths: [/abc] } }] }";
  assert.deepEqual(
    ["/ab", "/abc", "/b"].map((path) => allows(operation, { path })),
    [true, false, false],
  );
});

test("4.1.4 strings: exact, prefix, suffix, anything; an asterisk elsewhere is a character", () => {
  const cases: [string, string, boolean][] = [
    ["/abc", "/abc", true],
    ["/abc", "/abcd", false],
    ["/abc*", "/abcd", true],
    ["/abc*", "/ab", false],
    ["*abc", "/x/abc", true],
    ["*abc", "/abcd", false],
    ["*", "/", true],
    ["/a*c", "/a*c", true],
    ["/a*c", "/abc", false],
  ];
  for (const [pattern, path, expected] of cases) {
    assert.equal(
      allows(`{ to: [{ operation: { paths: ["${pattern}"] } }] }`, { path }),
      expected,
      `${pattern} ${path}`,
    );
  }
  const any = "{ when: [{ key: 'request.headers[x]', values: ['*'] }] }";
  assert.equal(allows(any, { headers: { x: "1" } }), true);
  // As in Istio, a header that is there without a value is there.
  assert.equal(allows(any, { headers: { x: "" } }), true);
  assert.equal(allows(any), false);
});

test("4.1.4 paths are matched without the query", () => {
  assert.equal(allows("{ to: [{ operation: { paths: [/abc] } }] }", { path: "/abc?x=/def" }), true);
});

test("4.1.4 hosts are matched without regard to case, everything else with it", () => {
  assert.equal(allows("{ to: [{ operation: { hosts: [Reviews] } }] }", { authority: "reviews" }), true);
  assert.equal(allows("{ to: [{ operation: { hosts: ['*.DEFAULT'] } }] }", { authority: "reviews.default" }), true);
  assert.equal(allows("{ to: [{ operation: { hosts: ['REV*'] } }] }", { authority: "reviews" }), true);
  assert.equal(allows("{ to: [{ operation: { methods: [get] } }] }"), false);
  assert.equal(allows("{ to: [{ operation: { paths: [/ABC] } }] }", { path: "/abc" }), false);
  assert.equal(allows("{ when: [{ key: 'request.headers[x]', values: [A] }] }", { headers: { x: "a" } }), false);
  assert.equal(allows("{ from: [{ source: { principals: [cluster.local/ns/default/sa/WEB] } }] }"), false);
});

test("4.1.4 the name of a header in a condition is matched without regard to case", () => {
  assert.equal(
    allows("{ when: [{ key: 'request.headers[X-User]', values: [a] }] }", { headers: { "x-user": "a" } }),
    true,
  );
});

test("4.1.4 principals are matched behind spiffe://", () => {
  const cases: [string, boolean][] = [
    ["cluster.local/ns/default/sa/web", true],
    ["spiffe://cluster.local/ns/default/sa/web", false],
    ["cluster.local/ns/default/*", true],
    ["cluster.local/ns/other/*", false],
    ["*/sa/web", true],
    ["*/sa/we", false],
    ["*.local/ns/default/sa/web", true],
    ["*xlocal/ns/default/sa/web", false],
    ["*", true],
  ];
  for (const [pattern, expected] of cases) {
    assert.equal(allows(`{ from: [{ source: { principals: ["${pattern}"] } }] }`), expected, pattern);
    assert.equal(allows(`{ when: [{ key: source.principal, values: ["${pattern}"] }] }`), expected, pattern);
  }
});

test("4.1.4 namespaces take asterisks in any position", () => {
  const cases: [string, boolean][] = [
    ["default", true],
    ["def*", true],
    ["*ault", true],
    ["d*t", true],
    ["*", true],
    ["efaul", false],
    ["other", false],
  ];
  for (const [pattern, expected] of cases) {
    assert.equal(allows(`{ from: [{ source: { namespaces: ["${pattern}"] } }] }`), expected, pattern);
    assert.equal(allows(`{ when: [{ key: source.namespace, values: ["${pattern}"] }] }`), expected, pattern);
  }
});

test("4.1.4 serviceAccounts are exact: <namespace>/<account>, or <account> of the policy's namespace", () => {
  const cases: [string, string, boolean][] = [
    ["web", "default", true],
    ["default/web", "default", true],
    ["other/web", "default", false],
    ["we", "default", false],
    ["web", "istio-system", false],
    ["default/web", "istio-system", true],
  ];
  for (const [account, namespace, expected] of cases) {
    const { status } = call(policy(`[{ from: [{ source: { serviceAccounts: [${account}] } }] }]`, { namespace }));
    assert.equal(status === 200, expected, `${account} in ${namespace}`);
    const when = call(policy(`[{ when: [{ key: source.serviceAccount, values: [${account}] }] }]`, { namespace }));
    assert.equal(when.status === 200, expected, `${account} in ${namespace}`);
  }
});

test("4.1.4 trustDomains are exact or hold one asterisk", () => {
  const cases: [string, boolean][] = [
    ["cluster.local", true],
    ["cluster.loca", false],
    ["other.local", false],
    ["*.local", true],
    ["*xlocal", false],
    ["cluster.*", true],
    ["*", true],
  ];
  for (const [pattern, expected] of cases) {
    assert.equal(allows(`{ from: [{ source: { trustDomains: ["${pattern}"] } }] }`), expected, pattern);
    assert.equal(allows(`{ when: [{ key: source.trustDomain, values: ["${pattern}"] }] }`), expected, pattern);
  }
});

test("4.1.4 a peer without a certificate has no identity: only a not can match it", () => {
  const permissive = `---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: pa }
spec: { mtls: { mode: PERMISSIVE } }
`;
  const plain = (rule: string) =>
    new Traffic(new TestMesh(permissive + policy(`[${rule}]`))).callInbound("reviews-v1-0", {}).status;
  for (const source of ["principals: ['*']", "namespaces: ['*']", "trustDomains: ['*']", "serviceAccounts: [web]"]) {
    assert.equal(plain(`{ from: [{ source: { ${source} } }] }`), 403, source);
  }
  assert.equal(plain("{ from: [{ source: { notPrincipals: [cluster.local/ns/default/sa/web] } }] }"), 200);
});

test("4.1.4 ports are the workload's own", () => {
  assert.equal(allows('{ to: [{ operation: { ports: ["9080"] } }] }'), true);
  assert.equal(allows('{ to: [{ operation: { ports: ["30000", "30001"] } }] }'), false);
  assert.equal(allows('{ to: [{ operation: { notPorts: ["9080"] } }] }'), false);
  assert.equal(allows('{ to: [{ operation: { notPorts: ["9081"] } }] }'), true);
  assert.equal(allows('{ when: [{ key: destination.port, values: ["9080"] }] }'), true);
  assert.equal(allows('{ when: [{ key: destination.port, notValues: ["9080"] }] }'), false);
});

test("4.1.4 addresses are single or blocks; ipBlocks ask for the direct peer, remoteIpBlocks for the client behind X-Forwarded-For", () => {
  const from = (rule: string, remote: string, forwarded?: string) => {
    const traffic = new Traffic(new TestMesh(policy(`[${rule}]`)));
    const peer = peerOf({ namespace: "default", serviceAccount: "web" });
    return (
      traffic.callInbound("reviews-v1-0", {
        peer,
        remote,
        headers: forwarded === undefined ? {} : { "x-forwarded-for": forwarded },
      }).status === 200
    );
  };
  const direct = (block: string) => `{ from: [{ source: { ipBlocks: ["${block}"] } }] }`;
  assert.equal(from(direct("10.0.0.1"), "10.0.0.1"), true);
  assert.equal(from(direct("10.0.0.1"), "10.0.0.2"), false);
  assert.equal(from(direct("10.0.0.0/8"), "10.9.9.9"), true);
  assert.equal(from(direct("2001:db8::/32"), "2001:db8::1"), true);
  assert.equal(from(direct("::ffff:10.0.0.0/104"), "10.9.9.9"), true);
  assert.equal(from(direct("192.0.2.1"), "10.0.0.1", "192.0.2.1"), false);
  const client = '{ from: [{ source: { remoteIpBlocks: ["192.0.2.0/24"] } }] }';
  assert.equal(from(client, "10.0.0.1", "192.0.2.1"), true);
  assert.equal(from(client, "10.0.0.1", "198.51.100.1"), false);
  assert.equal(from('{ when: [{ key: source.ip, values: ["10.0.0.1"] }] }', "10.0.0.1", "192.0.2.1"), true);
  assert.equal(from('{ when: [{ key: remote.ip, values: ["192.0.2.1"] }] }', "10.0.0.1", "192.0.2.1"), true);
  assert.equal(from('{ when: [{ key: destination.ip, values: ["127.0.0.1"] }] }', "10.0.0.1"), true);
  assert.equal(from('{ when: [{ key: destination.ip, values: ["127.0.0.2"] }] }', "10.0.0.1"), false);
});

test("4.1.4 connection.sni is the server name that the client asked for", () => {
  assert.equal(allows("{ when: [{ key: connection.sni, values: ['outbound_.9080_*'] }] }"), true);
  assert.equal(allows("{ when: [{ key: connection.sni, values: ['outbound_.9081_*'] }] }"), false);
});

test("4.1.5 path templates: {*} is one segment, {**} the rest", () => {
  const cases: [string, string, boolean][] = [
    ["/books/{*}", "/books/1", true],
    ["/books/{*}", "/books/", false],
    ["/books/{*}", "/books/1/2", false],
    ["/books/{*}/reviews", "/books/1/reviews", true],
    ["/books/{*}/reviews", "/books/1/2/reviews", false],
    ["/books/{**}", "/books/1/2", true],
    ["/books/{**}", "/books/", true],
    ["/books/{**}", "/bookz/1", false],
    ["/books/{*}/{**}", "/books/1/2/3", true],
    ["/a.c/{*}", "/abc/1", false],
  ];
  for (const [pattern, path, expected] of cases) {
    assert.equal(
      allows(`{ to: [{ operation: { paths: ["${pattern}"] } }] }`, { path }),
      expected,
      `${pattern} ${path}`,
    );
  }
});

function connects(resources: string, from: string | undefined = "web-0"): boolean {
  const mesh = new TestMesh(resources, { change: (instance) => ({ ...instance, protocol: "tcp" }) });
  return new Traffic(mesh).connect("reviews-v1-0", from).allowed;
}

test("4.1.8 on an opaque port an ALLOW rule with an HTTP condition is dropped whole", () => {
  for (const to of ["methods: [GET]", "paths: [/a]", "hosts: [a]", "notMethods: [GET]"]) {
    assert.equal(connects(policy(`[{ from: [${web}], to: [{ operation: { ${to} } }] }]`)), false, to);
  }
  assert.equal(connects(policy(`[{ from: [${web}], when: [${header}] }]`)), false);
  assert.equal(
    connects(policy(`[{ from: [${web}], to: [{ operation: { methods: [GET] } }] }, { from: [${web}] }]`)),
    true,
  );
});

test("4.1.8 on an opaque port an HTTP condition is dropped from a DENY rule and the rest still denies", () => {
  assert.equal(connects(policy("[{ to: [{ operation: { methods: [POST] } }] }]", deny)), false);
  assert.equal(connects(policy(`[{ from: [${web}], to: [{ operation: { methods: [POST] } }] }]`, deny)), false);
  assert.equal(connects(policy(`[{ from: [${nobody}], to: [{ operation: { methods: [POST] } }] }]`, deny)), true);
  assert.equal(connects(policy('[{ to: [{ operation: { methods: [POST], ports: ["9081"] } }] }]', deny)), true);
  assert.equal(connects(policy('[{ to: [{ operation: { methods: [POST], ports: ["9080"] } }] }]', deny)), false);
});

test("4.1.8 conditions that a connection can answer hold on opaque ports, in the order of 4.1.1", () => {
  assert.equal(connects(policy(`[{ from: [${web}] }]`)), true);
  assert.equal(connects(policy(`[{ from: [${nobody}] }]`)), false);
  assert.equal(connects(policy(everything) + policy(`[{ from: [${web}] }]`, { name: "q", ...deny })), false);
  assert.equal(connects(policy(undefined)), false);
});

test("4.1.10 only the value true makes a dry run", () => {
  assert.equal(call(policy(everything, { ...deny, dryRun: "false" })).status, 403);
});

test("4.1.10 a dry-run policy changes nothing and says what it would have done", () => {
  const tried = call(policy(everything, { ...deny, dryRun: "true" }));
  assert.deepEqual([tried.status, tried.shadow], [200, "denied ns[default]-policy[p]-rule[0]"]);
  const refused = call(policy(gets, { dryRun: "true" }), { method: "PUT" });
  assert.deepEqual([refused.status, refused.shadow], [200, "denied none"]);
  const mixed =
    policy(gets, { name: "enforced" }) +
    policy("[{ to: [{ operation: { methods: [PUT] } }] }]", { name: "tried", dryRun: "true" });
  assert.equal(call(mixed, { method: "GET" }).status, 200);
  assert.equal(call(mixed, { method: "PUT" }).status, 403);
  const denies =
    policy("[{ to: [{ operation: { methods: [PUT] } }] }]", { name: "enforced", ...deny }) +
    policy(everything, { ...deny, dryRun: "true" });
  assert.equal(call(denies, { method: "GET" }).status, 200);
  assert.equal(call(denies, { method: "PUT" }).status, 403);
});

test("4.1.13 policies and routes see paths without dot segments and with backslashes turned; slashes stay as they are", () => {
  const secret = policy("[{ to: [{ operation: { paths: [/secret] } }] }]", deny);
  const cases: [string, number][] = [
    ["/secret", 403],
    ["/public/../secret", 403],
    ["/./secret", 403],
    ["/public\\..\\secret", 403],
    ["/%73ecret", 403],
    ["//secret", 200],
    ["/public%2f..%2fsecret", 200],
  ];
  for (const [path, status] of cases) assert.equal(call(secret, { path }).status, status, path);
});

test("A policy that cannot be read denies what it selects, under its own name", () => {
  const broken = policy("[{ form: [] }]", { name: "misspelt", labels: "version: v1" });
  const mesh = new TestMesh(broken, { mayBeBroken: true });
  const traffic = new Traffic(mesh);
  const peer = peerOf({ namespace: "default", serviceAccount: "web" });
  const denied = traffic.callInbound("reviews-v1-0", { peer });
  assert.equal(denied.status, 403);
  assert.equal(denied.details, "rbac_access_denied_matched_policy[ns[default]-policy[misspelt]-rule[unreadable]]");
  assert.equal(traffic.callInbound("reviews-v2-0", { peer }).status, 200);
});

test("A policy whose selector cannot be read, either, denies its whole scope", () => {
  const resources = policy(everything, { name: "broken" }).replace("action: ALLOW", "selector: 7");
  const traffic = new Traffic(new TestMesh(resources, { mayBeBroken: true }));
  const peer = peerOf({ namespace: "default", serviceAccount: "web" });
  assert.deepEqual(
    ["reviews-v1-0", "reviews-v2-0", "web-0", "ratings-0"].map((id) => traffic.callInbound(id, { peer }).status),
    [403, 403, 403, 200],
  );
});

test("A PeerAuthentication that cannot be read denies what it selects", () => {
  const broken = `---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: pa }
spec: { mtls: { mode: LOOSE } }
`;
  const traffic = new Traffic(new TestMesh(broken, { mayBeBroken: true }));
  const { status, details } = traffic.callInbound("reviews-v1-0", {
    peer: peerOf({ namespace: "default", serviceAccount: "web" }),
  });
  assert.deepEqual(
    [status, details],
    [403, "rbac_access_denied_matched_policy[ns[default]-peer-authentication[pa]-rule[unreadable]]"],
  );
});
