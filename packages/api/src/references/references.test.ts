import assert from "node:assert/strict";
import { test } from "node:test";
import type { Kind } from "../resource.ts";
import { documentOf, resourcesOf } from "../testing/resources.ts";
import { validateSet } from "../validate-set.ts";

const options = { rootNamespace: "istio-system", trustDomain: "cluster.local" };

const mesh = documentOf(
  "LocalMesh",
  `workloads:
- { name: web, service: web, command: [a], port: 8080 }
- { name: reviews-v1, service: reviews, version: v1, command: [a], port: 9080 }
- { name: reviews-v2, service: reviews, version: v2, command: [a], port: 9080 }
- { name: pay, service: pay, namespace: shop, serviceAccount: till, command: [a], port: 9090 }`,
  "{ name: mesh }",
);

/** Findings of documents beside the mesh above, each as `CODE name: message`. */
function judge(...documents: readonly string[]): string[] {
  const resources = [mesh, ...documents].flatMap((text, index) =>
    resourcesOf(text, index === 0 ? "mesh.yaml" : `${index}.yaml`),
  );
  return validateSet(resources, options).map(
    (finding) => `${finding.code} ${finding.resource?.name}: ${finding.message} ${finding.hint}`,
  );
}

function one(kind: Kind, spec: string, metadata?: string): string {
  const found = judge(documentOf(kind, spec, metadata));
  assert.equal(found.length, 1, found.join("\n"));
  return found[0] ?? "";
}

function none(kind: Kind, spec: string, metadata?: string): void {
  assert.deepEqual(judge(documentOf(kind, spec, metadata)), []);
}

function routeTo(destination: string, host = "reviews"): string {
  return `hosts: [${host}]\nhttp: [{ route: [{ destination: ${destination} }] }]`;
}

const subsets = documentOf(
  "DestinationRule",
  "host: reviews\nsubsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]",
  "{ name: reviews }",
);

test("4.4: a short name is looked up in the resource's own namespace", () => {
  none("VirtualService", routeTo("{ host: reviews }"));
  none("VirtualService", routeTo("{ host: reviews.default.svc.cluster.local }"));
  none("VirtualService", routeTo("{ host: REVIEWS }"));
  none("VirtualService", routeTo("{ host: pay }", "pay"), "{ name: test, namespace: shop }");
  assert.match(
    one("VirtualService", routeTo("{ host: pay }")),
    /^HDL0102 test: spec\.http\[0\]\.route\[0\]\.destination: no service has the host pay\.default\.svc\.cluster\.local\. A name without dots is looked up in the resource's namespace \(default\); write pay\.shop\.svc\.cluster\.local\.$/,
  );
});

test("a destination that no service has is an error with the nearest name", () => {
  assert.match(one("VirtualService", routeTo("{ host: revews }")), /^HDL0102 .*Did you mean reviews\?$/);
  assert.match(
    one("VirtualService", routeTo("{ host: reviews.default }")),
    /^HDL0102 .*Names with dots are taken in full; write reviews\.default\.svc\.cluster\.local\.$/,
  );
  assert.match(
    one("VirtualService", routeTo("{ host: example.org }")),
    /^HDL0102 .*Services of the mesh: web\.default/,
  );
});

test("mirrors are destinations, too", () => {
  const spec =
    "hosts: [reviews]\nhttp:\n- route: [{ destination: { host: reviews } }]\n  mirror: { host: a }\n- match: [{ uri: { exact: /b } }]\n  route: [{ destination: { host: reviews } }]\n  mirrors: [{ destination: { host: b } }]";
  const found = judge(documentOf("VirtualService", spec));
  assert.deepEqual(
    found.map((each) => each.slice(0, 36)),
    ["HDL0102 test: spec.http[0].mirror: n", "HDL0102 test: spec.http[1].mirrors[0"],
  );
});

test("a host of a VirtualService that no service has is a warning", () => {
  assert.match(one("VirtualService", routeTo("{ host: reviews }", "rviews")), /^HDL0103 .*Did you mean reviews\?$/);
  none("VirtualService", routeTo("{ host: reviews }", '"*.default.svc.cluster.local"'));
  assert.match(one("VirtualService", routeTo("{ host: reviews }", '"*.other.svc.cluster.local"')), /^HDL0103/);
});

test("a port that the destination does not have is an error", () => {
  none("VirtualService", routeTo("{ host: reviews, port: { number: 9080 } }"));
  assert.match(
    one("VirtualService", routeTo("{ host: reviews, port: { number: 80 } }")),
    /^HDL0111 .*does not listen on port 80\. Its port is 9080/,
  );
});

test("a match for a port that the hosts do not have is a warning", () => {
  const spec = (port: number) =>
    `hosts: [reviews]\nhttp: [{ match: [{ port: ${port} }], route: [{ destination: { host: reviews } }] }]`;
  none("VirtualService", spec(9080));
  assert.match(one("VirtualService", spec(80)), /^HDL0115/);
});

test("a subset that no DestinationRule of the host defines is an error that lists those there are", () => {
  const routed = (subset: string) => documentOf("VirtualService", routeTo(`{ host: reviews, subset: ${subset} }`));
  assert.deepEqual(judge(subsets, routed("v1")), []);
  const [found] = judge(subsets, routed("v3"));
  assert.match(
    found ?? "",
    /^HDL0104 test: .*no DestinationRule defines the subset v3 of reviews\.default\.svc\.cluster\.local\. Subsets of this host: v1, v2\.$/,
  );
  assert.match(judge(routed("v1"))[0] ?? "", /^HDL0104 .*Write a DestinationRule for reviews\.default/);
});

test("4.5: a subset that only some callers' rules define is a warning that names them and the rule", () => {
  const routed = documentOf("VirtualService", routeTo("{ host: reviews, subset: v1 }"));
  const inShop = documentOf(
    "DestinationRule",
    "host: reviews.default.svc.cluster.local\nsubsets: [{ name: v2, labels: { version: v2 } }]",
    "{ name: ours, namespace: shop }",
  );
  const found = judge(subsets, inShop, routed);
  assert.equal(found.length, 1);
  assert.match(
    found[0] ?? "",
    /^HDL0117 test: .*callers in the namespace shop do not know the subset v1 of reviews\.default\.svc\.cluster\.local: for them DestinationRule shop\/ours \(2\.yaml:1\) holds/,
  );
});

test("4.5: a rule in a namespace that is neither the caller's nor the service's is not asked", () => {
  const elsewhere = documentOf(
    "DestinationRule",
    "host: reviews.default.svc.cluster.local\nsubsets: [{ name: v1, labels: { version: v1 } }]",
    "{ name: a, namespace: other }",
  );
  assert.match(
    judge(elsewhere, documentOf("VirtualService", routeTo("{ host: reviews, subset: v1 }")))[0] ?? "",
    /^HDL0104/,
  );
});

test("4.5: rules of the root namespace are asked last", () => {
  const inRoot = documentOf(
    "DestinationRule",
    "host: reviews.default.svc.cluster.local\nsubsets: [{ name: v1, labels: { version: v1 } }]",
    "{ name: a, namespace: istio-system }",
  );
  assert.deepEqual(judge(inRoot, documentOf("VirtualService", routeTo("{ host: reviews, subset: v1 }"))), []);
});

test("4.5: within a namespace the most specific host is asked, alone", () => {
  const wildcard = documentOf(
    "DestinationRule",
    'host: "*.default.svc.cluster.local"\nsubsets: [{ name: all }]',
    "{ name: all }",
  );
  assert.match(
    judge(subsets, wildcard, documentOf("VirtualService", routeTo("{ host: reviews, subset: all }")))[0] ?? "",
    /^HDL0104 .*Subsets of this host: v1, v2/,
  );
});

test("a subset of a wildcard rule counts", () => {
  const wildcard = documentOf(
    "DestinationRule",
    'host: "*.default.svc.cluster.local"\nsubsets: [{ name: v1, labels: { version: v1 } }]',
    "{ name: all }",
  );
  assert.deepEqual(judge(wildcard, documentOf("VirtualService", routeTo("{ host: reviews, subset: v1 }"))), []);
});

test("4.4: of two VirtualServices for one host the second is told who wins and why", () => {
  const named = (name: string, more = "") =>
    documentOf("VirtualService", routeTo("{ host: reviews }"), `{ name: ${name}${more} }`);
  const [byName, ...rest] = judge(named("b"), named("a"));
  assert.deepEqual(rest, []);
  assert.match(
    byName ?? "",
    /^HDL0105 b: The host reviews\.default\.svc\.cluster\.local has another VirtualService, VirtualService default\/a \(2\.yaml:5\)\. That one is used and this one is not, because both are equally old and its name a comes first in the alphabet\./,
  );
  const [byAge] = judge(
    named("a", ', creationTimestamp: "2026-01-02T00:00:00Z"'),
    named("b", ', creationTimestamp: "2026-01-01T00:00:00Z"'),
  );
  assert.match(byAge ?? "", /^HDL0105 a: .*because it was created first \(2026-01-01T00:00:00Z\)/);
  const other = documentOf(
    "VirtualService",
    routeTo("{ host: reviews.default.svc.cluster.local }", "reviews.default.svc.cluster.local"),
    "{ name: b, namespace: shop }",
  );
  assert.match(judge(other, named("b"))[0] ?? "", /of the same name, and its namespace default comes first/);
});

test("two different hosts, one of them a wildcard, do not collide", () => {
  const wild = documentOf(
    "VirtualService",
    routeTo("{ host: reviews }", '"*.default.svc.cluster.local"'),
    "{ name: wild }",
  );
  assert.deepEqual(judge(wild, documentOf("VirtualService", routeTo("{ host: reviews }"))), []);
});

test("a DestinationRule for a host that no service has is a warning", () => {
  assert.match(one("DestinationRule", "host: reviewz"), /^HDL0103 .*Did you mean reviews\?/);
});

test("a subset whose labels no workload has is a warning", () => {
  none(
    "DestinationRule",
    "host: reviews\nsubsets: [{ name: all }, { name: v2, labels: { version: v2, app: reviews } }]",
  );
  assert.match(
    one("DestinationRule", "host: reviews\nsubsets: [{ name: v9, labels: { version: v9 } }]"),
    /^HDL0107 test: spec\.subsets\[0\] \(v9\): no workload of reviews has the labels version: v9\./,
  );
});

test("4.5: what a younger DestinationRule of one host and namespace says again is not used", () => {
  const rule = (name: string, namespace = "default") =>
    documentOf(
      "DestinationRule",
      "host: reviews.default.svc.cluster.local\ntrafficPolicy: { loadBalancer: { simple: RANDOM } }\nsubsets: [{ name: v1, labels: { version: v1 } }]",
      `{ name: ${name}, namespace: ${namespace} }`,
    );
  const found = judge(rule("b"), rule("a"));
  assert.deepEqual(
    found.map((each) => each.slice(0, 33)),
    ["HDL0112 b: spec.trafficPolicy is ", "HDL0112 b: spec.subsets[0]: the s"],
  );
  assert.deepEqual(judge(rule("b"), rule("a", "shop")), []);
});

test("4.1.2: a policy that selects no workload in its scope is a warning", () => {
  const select = "selector: { matchLabels: { app: pay } }";
  none("AuthorizationPolicy", select, "{ name: a, namespace: shop }");
  none("AuthorizationPolicy", select, "{ name: a, namespace: istio-system }");
  none("AuthorizationPolicy", "action: ALLOW", "{ name: a, namespace: istio-system }");
  assert.match(
    one("AuthorizationPolicy", select),
    /^HDL0106 .*No workload in the namespace default has the labels app: pay\. The workload pay has these labels, but it runs in the namespace shop\.$/,
  );
  assert.match(
    one("PeerAuthentication", "mtls: { mode: STRICT }", "{ name: a, namespace: shp }"),
    /^HDL0106 .*No workload runs in the namespace shp.*Workloads run in default, shop\.$/,
  );
});

test("4.3: a PeerAuthentication with a selector in the root namespace is used nowhere else", () => {
  const select = "selector: { matchLabels: { app: pay } }\nmtls: { mode: STRICT }";
  assert.match(one("PeerAuthentication", select, "{ name: a, namespace: istio-system }"), /^HDL0113/);
});

test("4.3: at each level the oldest PeerAuthentication wins", () => {
  const peer = (name: string, spec: string) => documentOf("PeerAuthentication", spec, `{ name: ${name} }`);
  const [found, ...rest] = judge(
    peer("b", "mtls: { mode: STRICT }"),
    peer("a", "mtls: { mode: DISABLE }"),
    peer("c", "selector: { matchLabels: { app: web } }"),
  );
  assert.deepEqual(rest, []);
  assert.match(
    found ?? "",
    /^HDL0114 b: PeerAuthentication default\/a \(2\.yaml:1\) holds for the namespace default, too\. That one is used/,
  );
});

test("4.3: portLevelMtls for a port that the workload does not serve is a warning that says where it counts", () => {
  const spec = (port: number) =>
    `selector: { matchLabels: { app: web } }\nportLevelMtls: { ${port}: { mode: STRICT } }`;
  none("PeerAuthentication", spec(8080));
  assert.match(one("PeerAuthentication", spec(80)), /^HDL0115 .*they serve 8080\. The mode counts only where/);
});

test("callers that nobody in the mesh is are warnings", () => {
  const from = (source: string) => `rules: [{ from: [{ source: ${source} }] }]`;
  none(
    "AuthorizationPolicy",
    from(
      "{ principals: [cluster.local/ns/default/sa/web, '*/sa/x', cluster.local/ns/istio-system/sa/edge, other.org/ns/a/sa/b] }",
    ),
  );
  none("AuthorizationPolicy", from("{ serviceAccounts: [web, shop/till] }"));
  assert.match(
    one("AuthorizationPolicy", from("{ principals: [cluster.local/ns/default/sa/wbe] }")),
    /^HDL0116 .*no workload of the mesh runs as the service account default\/wbe\. Did you mean default\/web\?$/,
  );
  assert.match(one("AuthorizationPolicy", from("{ notServiceAccounts: [till] }")), /^HDL0116 .*default\/till/);
  assert.match(
    one("AuthorizationPolicy", from("{ principals: [spiffe://cluster.local/ns/default/sa/web] }")),
    /^HDL0116 .*never matches\. Write cluster\.local\/ns\/default\/sa\/web\.$/,
  );
  assert.match(
    one(
      "AuthorizationPolicy",
      "rules: [{ when: [{ key: source.principal, values: [cluster.local/ns/default/sa/wbe] }] }]",
    ),
    /^HDL0116/,
  );
});

test("a resource written twice is an error on both, each naming the other place", () => {
  const found = judge(subsets, subsets);
  assert.deepEqual(
    found.map((each) => each.slice(0, 99)),
    [
      "HDL0101 reviews: The same resource is written again: DestinationRule default/reviews (2.yaml:1). No",
      "HDL0101 reviews: The same resource is written again: DestinationRule default/reviews (1.yaml:1). No",
    ],
  );
});

test("one name in two namespaces, or of two kinds, is no duplicate", () => {
  const inShop = documentOf("PeerAuthentication", "mtls: { mode: STRICT }", "{ name: reviews, namespace: shop }");
  const inDefault = documentOf("PeerAuthentication", "mtls: { mode: STRICT }", "{ name: reviews }");
  assert.deepEqual(judge(subsets, inShop, inDefault), []);
});

test("two meshes are an error on both", () => {
  const found = judge(mesh.replace("name: mesh", "name: again"));
  assert.deepEqual(found.filter((each) => each.startsWith("HDL0109")).length, 2);
});

test("without a LocalMesh one finding says that references were not judged", () => {
  const resources = resourcesOf(documentOf("VirtualService", routeTo("{ host: nowhere }", "nobody")));
  assert.deepEqual(
    validateSet(resources, options).map((finding) => finding.code),
    ["HDL0108"],
  );
  assert.deepEqual(validateSet([], options), []);
});

test("without a LocalMesh subsets are judged all the same", () => {
  const resources = resourcesOf(documentOf("VirtualService", routeTo("{ host: nowhere, subset: v1 }", "nobody")));
  assert.deepEqual(
    validateSet(resources, options).map((finding) => finding.code),
    ["HDL0104", "HDL0108"],
  );
});

test("a subset is judged by the workloads of its own host, not by others with the same labels", () => {
  const labelled = mesh.replace("service: web, command", "service: web, version: v9, command");
  const v9 = documentOf("DestinationRule", "host: reviews\nsubsets: [{ name: v9, labels: { version: v9 } }]");
  const codes = validateSet(
    [labelled, v9].flatMap((text) => resourcesOf(text)),
    options,
  ).map((finding) => finding.code);
  assert.deepEqual(codes, ["HDL0107"]);
});

test("a condition on anything but the caller is not taken for an identity", () => {
  none(
    "AuthorizationPolicy",
    "rules: [{ when: [{ key: 'request.headers[x]', values: [cluster.local/ns/default/sa/wbe] }] }]",
  );
  assert.match(
    one("AuthorizationPolicy", "rules: [{ when: [{ key: source.serviceAccount, notValues: [wbe] }] }]"),
    /^HDL0116 test: spec\.rules\[0\]\.when\[0\]\.notValues\[0\]: no workload of the mesh runs as the service account default\/wbe/,
  );
});

test("each of two meshes names the other one", () => {
  const again = resourcesOf(mesh.replace("name: mesh", "name: again"), "again.yaml");
  const messages = validateSet([...resourcesOf(mesh, "mesh.yaml"), ...again], options)
    .filter((finding) => finding.code === "HDL0109")
    .map((finding) => finding.message);
  assert.deepEqual(messages.sort(), [
    "There is another LocalMesh: LocalMesh default/again (again.yaml:1).",
    "There is another LocalMesh: LocalMesh default/mesh (mesh.yaml:1).",
  ]);
});

test("4.9: a resource with an age goes before one without, and the message says so", () => {
  const named = (name: string, more = "") =>
    documentOf("VirtualService", routeTo("{ host: reviews }"), `{ name: ${name}${more} }`);
  assert.match(
    judge(named("a"), named("b", ', creationTimestamp: "2026-01-01T00:00:00Z"'))[0] ?? "",
    /^HDL0105 a: .*because it was created first \(2026-01-01/,
  );
});

test("4.5: the edge calls from the root namespace, when there is one", () => {
  const inShop = documentOf(
    "DestinationRule",
    "host: reviews.default.svc.cluster.local\nsubsets: [{ name: v1, labels: { version: v1 } }]",
    "{ name: ours, namespace: shop }",
  );
  const routed = documentOf("VirtualService", routeTo("{ host: reviews, subset: v1 }"));
  const callers = (meshText: string) =>
    validateSet(
      [meshText, inShop, routed].flatMap((text) => resourcesOf(text)),
      options,
    ).map((finding) => /namespace (\S+)/.exec(finding.message)?.[1]);
  assert.deepEqual(callers(mesh), ["default"]);
  assert.deepEqual(callers(mesh.replace("  workloads:", "  edge: { service: web }\n  workloads:")), [
    "default",
    "istio-system",
  ]);
});

test("an edge in front of a workload that takes TLS alone is warned of, unless a DestinationRule for it begins TLS", () => {
  const judged = (protocol: string, ...rules: string[]): string[] => {
    const own = `edge: { service: web }\nworkloads: [{ name: web, service: web, command: [web], port: 443, protocol: ${protocol} }]`;
    const resources = [documentOf("LocalMesh", own), ...rules].flatMap((text) => resourcesOf(text));
    return validateSet(resources, options).map(({ code, line }) => `${code}:${line}`);
  };
  const rule = (spec: string, namespace = "default") =>
    documentOf(
      "DestinationRule",
      `host: web.default.svc.cluster.local\n${spec}`,
      `{ name: web, namespace: ${namespace} }`,
    );
  assert.deepEqual(judged("https"), ["HDL0119:5"]);
  assert.deepEqual(judged("tls"), ["HDL0119:5"]);
  assert.deepEqual(judged("tcp"), []);
  assert.deepEqual(judged("https", rule("trafficPolicy: { tls: { mode: SIMPLE } }")), []);
  assert.deepEqual(judged("https", rule("trafficPolicy: { tls: { mode: SIMPLE } }", "istio-system")), []);
  assert.deepEqual(judged("https", rule("subsets: [{ name: v1, trafficPolicy: { tls: { mode: SIMPLE } } }]")), []);
  assert.deepEqual(judged("https", rule("trafficPolicy: { tls: { mode: ISTIO_MUTUAL } }")), ["HDL0119:5"]);
  // An entry for the port replaces the whole policy, and what a nearer namespace says the root's.
  const onPort = "portLevelSettings: [{ port: { number: 443 }, loadBalancer: { simple: RANDOM } }]";
  assert.deepEqual(judged("https", rule(`trafficPolicy: { tls: { mode: SIMPLE }, ${onPort} }`)), ["HDL0119:5"]);
  assert.deepEqual(
    judged(
      "https",
      rule("trafficPolicy: { tls: { mode: SIMPLE } }", "istio-system"),
      rule("trafficPolicy: { loadBalancer: { simple: RANDOM } }"),
    ),
    ["HDL0119:5"],
  );
});

test("trust domain and root namespace are those that the mesh runs with, else the LocalMesh is refused at its line", () => {
  const [local] = resourcesOf(
    mesh.replace("workloads:", "trustDomain: other.example\n  rootNamespace: roots\n  workloads:"),
    "mesh.yaml",
  );
  assert.ok(local !== undefined);
  const judged = (rootNamespace: string, trustDomain: string): string[] =>
    validateSet([local], { rootNamespace, trustDomain }).map(({ code, line, message }) => `${code}:${line} ${message}`);
  assert.deepEqual(judged("roots", "other.example"), []);
  assert.deepEqual(judged("istio-system", "cluster.local"), [
    "HDL0118:5 The running mesh has the trust domain cluster.local; other.example needs a restart of the mesh.",
    "HDL0118:6 The running mesh has the root namespace istio-system; roots needs a restart of the mesh.",
  ]);
  // One that was written out and is left out wants the default back.
  const [plain] = resourcesOf(mesh, "mesh.yaml");
  assert.ok(plain !== undefined);
  assert.deepEqual(
    validateSet([plain], { rootNamespace: "roots", trustDomain: "cluster.local" }).map(({ code }) => code),
    ["HDL0118"],
  );
});
