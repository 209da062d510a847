import assert from "node:assert/strict";
import { test } from "node:test";
import { documentOf, findingsOf, specFindings } from "../../testing/resources.ts";

function sourceFindings(source: string): string[] {
  return specFindings("AuthorizationPolicy", `rules: [{ from: [{ source: ${source} }] }]`);
}

function operationFindings(operation: string): string[] {
  return specFindings("AuthorizationPolicy", `rules: [{ to: [{ operation: ${operation} }] }]`);
}

function conditionFindings(condition: string): string[] {
  return specFindings("AuthorizationPolicy", `rules: [{ when: [${condition}] }]`);
}

const specs: readonly [string, string, readonly string[]][] = [
  ["4.1.3: an ALLOW policy without rules denies all and is fine", "action: ALLOW", []],
  ["4.1.3: a DENY policy without rules is said to do nothing", "action: DENY", ["HDL0034:1"]],
  ["4.1.3: an empty rule matches everything and is fine", "action: DENY\nrules: [{}]", []],
  ["AUDIT is not supported yet", "action: AUDIT", ["HDL0016:1"]],
  [
    "CUSTOM is not supported yet, nor is its provider",
    "action: CUSTOM\nprovider: { name: a }",
    ["HDL0016:1", "HDL0012:2"],
  ],
  ["4.1.2: targetRefs are not supported yet", "targetRefs: [{ kind: Gateway, name: a }]", ["HDL0012:1"]],
  ["an empty from would match every caller and is refused", "rules: [{ from: [] }]", ["HDL0014:1"]],
  ["an empty to would match every request and is refused", "rules: [{ to: [] }]", ["HDL0014:1"]],
  ["from needs a source", "rules: [{ from: [{}] }]", ["HDL0013:1"]],
  ["a from without a value is refused", "rules:\n- from:\n  to: [{ operation: { methods: [GET] } }]", ["HDL0011:2"]],
  ["unknown fields are never tolerated", "rules: [{ form: [] }]", ["HDL0010:1"]],
  ["more than 512 rules are refused", `rules: [${"{},".repeat(513)}]`, ["HDL0014:1"]],
];

for (const [title, spec, expected] of specs) {
  test(title, () => {
    assert.deepEqual(specFindings("AuthorizationPolicy", spec), expected);
  });
}

const sources: readonly [string, string, readonly string[]][] = [
  [
    "every field passes",
    '{ principals: ["*"], notPrincipals: [a*], namespaces: ["a*b"], notNamespaces: [c], ipBlocks: [10.0.0.0/8], notIpBlocks: ["::1"], remoteIpBlocks: [1.2.3.4], notRemoteIpBlocks: [1.2.3.0/24], trustDomains: ["*.a"], notTrustDomains: [b] }',
    [],
  ],
  ["an empty source is refused", "{}", ["HDL0020:1"]],
  ["an empty list is refused, since it would be read as absent", "{ principals: [] }", ["HDL0014:1"]],
  ["an empty value is refused", '{ principals: [""] }', ["HDL0014:1"]],
  ["requestPrincipals are not supported yet", '{ requestPrincipals: ["*"] }', ["HDL0012:1"]],
  [
    "4.1.4: service accounts are names or namespaced names",
    "{ serviceAccounts: [a, b/c], notServiceAccounts: [d] }",
    [],
  ],
  ["4.1.4: service accounts are exact", '{ serviceAccounts: ["a*"] }', ["HDL0017:1"]],
  ["4.1.4: a service account has one slash at most", "{ serviceAccounts: [a/b/c] }", ["HDL0017:1"]],
  ["4.1.4: service accounts exclude principals", "{ serviceAccounts: [a], principals: [b] }", ["HDL0019:1"]],
  ["4.1.4: service accounts exclude namespaces", "{ notServiceAccounts: [a], notNamespaces: [b] }", ["HDL0019:1"]],
  ["more than 16 service accounts are refused", `{ serviceAccounts: [${"a,".repeat(17)}] }`, ["HDL0014:1"]],
  ["4.1.4: a trust domain has one * at most", '{ trustDomains: ["*a*"] }', ["HDL0017:1"]],
  ["4.1.4: a * in the middle of a trust domain is refused", '{ trustDomains: ["a*b"] }', ["HDL0017:1"]],
  ["4.1.4: an address that is none is refused", "{ ipBlocks: [10.0.0.0/33] }", ["HDL0017:1"]],
];

for (const [title, source, expected] of sources) {
  test(`source: ${title}`, () => {
    assert.deepEqual(sourceFindings(source), expected);
  });
}

const operations: readonly [string, string, readonly string[]][] = [
  [
    "every field passes",
    '{ hosts: [a], notHosts: ["*.b"], ports: ["0"], notPorts: ["65535"], methods: [GET], notMethods: ["*"], paths: [/a*], notPaths: ["*.jpg"] }',
    [],
  ],
  ["an empty operation is refused", "{}", ["HDL0020:1"]],
  ["4.1.4: ports are text", "{ ports: [80] }", ["HDL0011:1"]],
  ["4.1.4: port 65536 is refused", '{ ports: ["65536"] }', ["HDL0017:1"]],
  ["4.1.5: templates pass", '{ paths: ["/a/{*}/b", "/{*}/{**}", "/x/{**}/y"] }', []],
  ["4.1.5: an operator after {**} is refused", '{ paths: ["/{**}/{*}"] }', ["HDL0017:1"]],
  ["4.1.5: a template does not mix with *", '{ paths: ["/{*}/a*"] }', ["HDL0017:1"]],
  ["4.1.5: an operator fills its segment", '{ paths: ["/a{*}"] }', ["HDL0017:1"]],
  ["4.1.5: named variables are refused", '{ paths: ["/{*}/{id}"] }', ["HDL0017:1"]],
  ["braces without an operator are plain text", '{ paths: ["/{id}"] }', []],
];

for (const [title, operation, expected] of operations) {
  test(`operation: ${title}`, () => {
    assert.deepEqual(operationFindings(operation), expected);
  });
}

const conditions: readonly [string, string, readonly string[]][] = [
  ["headers", "{ key: 'request.headers[X-User]', values: [a] }", []],
  ["headers need a name", "{ key: 'request.headers[]', values: [a] }", ["HDL0017:1"]],
  ["headers need brackets", "{ key: request.headers, values: [a] }", ["HDL0017:1"]],
  ["source addresses", "{ key: source.ip, values: [10.0.0.0/8], notValues: ['::1'] }", []],
  ["remote addresses", "{ key: remote.ip, values: [nowhere] }", ["HDL0017:1"]],
  ["destination addresses", "{ key: destination.ip, values: [1.2.3.4] }", []],
  ["destination ports", "{ key: destination.port, values: ['70000'] }", ["HDL0017:1"]],
  ["namespaces", "{ key: source.namespace, values: [a] }", []],
  ["principals", "{ key: source.principal, values: ['*'] }", []],
  ["service accounts", "{ key: source.serviceAccount, values: [a/b] }", []],
  ["service accounts are exact", "{ key: source.serviceAccount, values: ['*'] }", ["HDL0017:1"]],
  ["trust domains", "{ key: source.trustDomain, values: [a] }", []],
  ["server names", "{ key: connection.sni, values: [a] }", []],
  ["an unknown key", "{ key: source.ips, values: [a] }", ["HDL0017:1"]],
  ["a key named like a property of every object", "{ key: constructor, values: [a] }", ["HDL0017:1"]],
  ["4.1.7: claims are not supported yet", "{ key: 'request.auth.claims[a][b]', values: [a] }", ["HDL0016:1"]],
  ["4.1.6: request principals are not supported yet", "{ key: request.auth.principal, values: [a] }", ["HDL0016:1"]],
  ["neither values nor notValues", "{ key: source.ip }", ["HDL0020:1"]],
  ["only empty values", "{ key: source.ip, values: [] }", ["HDL0020:1"]],
  ["no key", "{ values: [a] }", ["HDL0013:1"]],
];

for (const [title, condition, expected] of conditions) {
  test(`condition: ${title}`, () => {
    assert.deepEqual(conditionFindings(condition), expected);
  });
}

test("4.1.10: the dry-run annotation is true or false, as text", () => {
  const withAnnotation = (value: string) =>
    documentOf("AuthorizationPolicy", "action: ALLOW", `{ name: a, annotations: { istio.io/dry-run: ${value} } }`);
  assert.deepEqual(findingsOf(withAnnotation('"true"')), []);
  assert.deepEqual(findingsOf(withAnnotation('"false"')), []);
  assert.deepEqual(findingsOf(withAnnotation('"yes"')), ["HDL0015:3"]);
  assert.deepEqual(findingsOf(withAnnotation("true")), ["HDL0011:3"]);
});
