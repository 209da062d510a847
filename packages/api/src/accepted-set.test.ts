import assert from "node:assert/strict";
import { test } from "node:test";
import { acceptResources, isSameContent } from "./accepted-set.ts";
import type { Acceptance } from "./accepted-set.ts";
import { parseFile, unreadableFile } from "./parse-file.ts";
import type { ParsedResource } from "./resource.ts";
import { codesAndLines, documentOf } from "./testing/resources.ts";

const options = { rootNamespace: "istio-system", trustDomain: "cluster.local" };

type Files = Readonly<Record<string, string>>;

function accept(previous: readonly ParsedResource[], files: Files): Acceptance {
  return acceptResources(
    previous,
    Object.entries(files).map(([file, text]) => parseFile(text, file)),
    options,
  );
}

function names(acceptance: Acceptance): string[] {
  return acceptance.accepted.map((each) => `${each.kind}/${each.metadata.name}`).sort();
}

function errors(acceptance: Acceptance): string[] {
  return codesAndLines(acceptance.findings.filter((finding) => finding.severity === "error"));
}

function codes(acceptance: Acceptance): string[] {
  return acceptance.findings.map((finding) => finding.code).filter((code) => code !== "HDL0108");
}

const mesh = documentOf(
  "LocalMesh",
  "workloads:\n- { name: r1, service: reviews, version: v1, command: [a], port: 1 }\n- { name: r2, service: reviews, version: v2, command: [a], port: 1 }",
  "{ name: mesh }",
);
const subset = (name: string) => `{ name: ${name}, labels: { version: ${name} } }`;
const rule = (...subsets: readonly string[]) =>
  documentOf("DestinationRule", `host: reviews\nsubsets: [${subsets.map(subset).join(", ")}]`, "{ name: reviews }");
const route = (wanted: string, more = "") =>
  documentOf(
    "VirtualService",
    `hosts: [reviews]\nhttp: [{ route: [{ destination: { host: reviews, subset: ${wanted} } }]${more} }]`,
    "{ name: reviews }",
  );
const policy = (spec: string, name = "readers") => documentOf("AuthorizationPolicy", spec, `{ name: ${name} }`);

const files = {
  "mesh.yaml": mesh,
  "rule.yaml": rule("v1", "v2"),
  "route.yaml": route("v1"),
  "policy.yaml": policy("selector: { matchLabels: { app: reviews } }\nrules: [{}]"),
};

test("what is right is accepted, and the first generation is 1", () => {
  const acceptance = accept([], files);
  assert.deepEqual(names(acceptance), [
    "AuthorizationPolicy/readers",
    "DestinationRule/reviews",
    "LocalMesh/mesh",
    "VirtualService/reviews",
  ]);
  assert.deepEqual(acceptance.findings, []);
  assert.deepEqual(
    acceptance.accepted.map((each) => each.metadata.generation),
    [1, 1, 1, 1],
  );
});

test("nothing changed: the very same objects stay", () => {
  const before = accept([], files).accepted;
  const after = accept(before, files).accepted;
  assert.ok(after.every((each) => before.includes(each)));
});

test("a comment changes lines, but neither content nor generation", () => {
  const before = accept([], files).accepted;
  const after = accept(before, { ...files, "route.yaml": `# why\n${files["route.yaml"]}` }).accepted;
  const [old, now] = [before, after].map((set) => set.find((each) => each.kind === "VirtualService"));
  assert.ok(old !== undefined && now !== undefined);
  assert.equal(isSameContent(old, now), true);
  assert.equal(now.metadata.generation, 1);
  assert.equal(now.locate(["spec", "hosts"]).line, old.locate(["spec", "hosts"]).line + 1);
});

test("a changed spec counts the generation up; one that the file gives is kept", () => {
  const before = accept([], files).accepted;
  const after = accept(before, { ...files, "route.yaml": route("v2") }).accepted;
  assert.equal(after.find((each) => each.kind === "VirtualService")?.metadata.generation, 2);
  const given = accept(before, {
    ...files,
    "route.yaml": route("v2").replace("{ name: reviews }", "{ name: reviews, generation: 7 }"),
  });
  assert.equal(given.accepted.find((each) => each.kind === "VirtualService")?.metadata.generation, 7);
});

test("a resource with an error keeps its previous version, and it is said", () => {
  const before = accept([], files).accepted;
  const acceptance = accept(before, { ...files, "route.yaml": route("v1", ", timeot: 1s") });
  assert.deepEqual(names(acceptance), names(accept([], files)));
  assert.ok(acceptance.accepted.every((each) => before.includes(each)));
  assert.deepEqual(codes(acceptance), ["HDL0010", "HDL0201"]);
});

test("a resource with an error that was never accepted is left out", () => {
  assert.deepEqual(names(accept([], { "route.yaml": route("v1", ", timeot: 1s") })), []);
});

test("a resource that is gone leaves", () => {
  const { "policy.yaml": _gone, ...rest } = files;
  assert.deepEqual(names(accept(accept([], files).accepted, rest)), [
    "DestinationRule/reviews",
    "LocalMesh/mesh",
    "VirtualService/reviews",
  ]);
});

test("a resource may move to another file", () => {
  const before = accept([], files).accepted;
  const { "policy.yaml": moved, ...rest } = files;
  const acceptance = accept(before, { ...rest, "other.yaml": moved });
  assert.deepEqual(acceptance.findings, []);
  assert.equal(acceptance.accepted.find((each) => each.kind === "AuthorizationPolicy")?.source.file, "other.yaml");
});

test("an edit that names a subset that is not there is refused and changes nothing", () => {
  const before = accept([], files).accepted;
  const acceptance = accept(before, { ...files, "route.yaml": route("v9") });
  assert.ok(acceptance.accepted.every((each) => before.includes(each)));
  assert.deepEqual(codes(acceptance), ["HDL0104", "HDL0201"]);
});

test("references are judged on the whole set: a subset and its first use may come together", () => {
  const before = accept([], { ...files, "rule.yaml": rule("v1") }).accepted;
  const acceptance = accept(before, { ...files, "rule.yaml": rule("v1", "v2"), "route.yaml": route("v2") });
  assert.deepEqual(errors(acceptance), []);
  assert.match(
    JSON.stringify(acceptance.accepted.find((each) => each.kind === "VirtualService")?.spec),
    /"subset":"v2"/,
  );
});

test("a rule that is refused does not take its users along: the old rule stays, and so do they", () => {
  const before = accept([], files).accepted;
  const acceptance = accept(before, { ...files, "rule.yaml": "host: [", "route.yaml": route("v2") });
  assert.deepEqual(names(acceptance), names(accept([], files)));
  assert.match(
    JSON.stringify(acceptance.accepted.find((each) => each.kind === "VirtualService")?.spec),
    /"subset":"v2"/,
  );
});

test("a change that takes away a subset in use is held back and names its user", () => {
  const before = accept([], files).accepted;
  const acceptance = accept(before, { ...files, "rule.yaml": rule("v2") });
  assert.ok(acceptance.accepted.every((each) => before.includes(each)));
  assert.deepEqual(codes(acceptance), ["HDL0203"]);
  assert.match(
    acceptance.findings[0]?.message ?? "",
    /takes away the subset v1, which VirtualService default\/reviews \(route\.yaml:1\) refers to/,
  );
});

test("an edit with two unknown subsets does not hold back an unrelated change of the rule", () => {
  const before = accept([], files).accepted;
  const twice = documentOf(
    "VirtualService",
    "hosts: [reviews]\nhttp: [{ route: [{ destination: { host: reviews, subset: v8 }, weight: 1 }, { destination: { host: reviews, subset: v9 } }] }]",
    "{ name: reviews }",
  );
  const acceptance = accept(before, { ...files, "rule.yaml": rule("v1"), "route.yaml": twice });
  assert.deepEqual(errors(acceptance), ["HDL0104:6", "HDL0104:6"]);
  assert.deepEqual(acceptance.accepted.find((each) => each.kind === "DestinationRule")?.spec.subsets?.length, 1);
});

test("only the change that took the subset away is held back; other changes and new resources are taken", () => {
  const other = (subset: string) =>
    documentOf("DestinationRule", `host: reviews\nsubsets: [{ name: ${subset} }]`, "{ name: z-other }");
  const before = accept([], { ...files, "other.yaml": other("v3") }).accepted;
  const acceptance = accept(before, {
    ...files,
    "rule.yaml": rule("v2"),
    "other.yaml": other("v4"),
    "new.yaml": other("v5").replace("z-other", "z-new"),
  });
  assert.deepEqual(codes(acceptance), ["HDL0203"]);
  const kept = acceptance.accepted.flatMap((each) =>
    each.kind === "DestinationRule" ? [(each.spec.subsets ?? []).map((subset) => subset.name).join("+")] : [],
  );
  assert.deepEqual(kept.sort(), ["v1+v2", "v4", "v5"]);
});

test("a rule that is deleted leaves, also while it is in use; the user's finding says so", () => {
  const before = accept([], files).accepted;
  const { "rule.yaml": _gone, ...rest } = files;
  const acceptance = accept(before, rest);
  assert.deepEqual(names(acceptance), ["AuthorizationPolicy/readers", "LocalMesh/mesh", "VirtualService/reviews"]);
  assert.deepEqual(codes(acceptance), ["HDL0104"]);
});

test("duplicates: none is taken, the version before stays", () => {
  const before = accept([], files).accepted;
  const acceptance = accept(before, { ...files, "again.yaml": route("v2") });
  assert.ok(acceptance.accepted.every((each) => before.includes(each)));
  assert.deepEqual(codes(acceptance), ["HDL0101", "HDL0101", "HDL0201"]);
  const atFirst = accept([], { "a.yaml": rule("v1"), "b.yaml": rule("v1") });
  assert.deepEqual(names(atFirst), []);
  assert.deepEqual(atFirst.broken, []);
});

test("of two LocalMeshes none is told to take another name: a mesh has one", () => {
  const { findings } = accept([], { "a.yaml": mesh, "b.yaml": mesh });
  const hints = findings.filter(({ code }) => code === "HDL0101").map(({ hint }) => hint);
  assert.deepEqual(
    hints,
    Array.from({ length: 2 }, () => "Remove one of the two: a mesh has one LocalMesh."),
  );
});

test("a file with broken YAML keeps everything that came from it", () => {
  const both = `${route("v1")}---\n${policy("rules: [{}]")}`;
  const start = { "mesh.yaml": mesh, "rule.yaml": rule("v1"), "both.yaml": both };
  const before = accept([], start).accepted;
  const acceptance = accept(before, { ...start, "both.yaml": both.replace("hosts: [reviews]", 'hosts: ["reviews]') });
  assert.ok(acceptance.accepted.length === 4 && acceptance.accepted.every((each) => before.includes(each)));
  assert.deepEqual(acceptance.broken, []);
  assert.deepEqual([...new Set(codes(acceptance))], ["HDL0001", "HDL0201"]);
});

for (const [title, spoil] of [
  ["has lost its first lines", (text: string) => text.replace(/^apiVersion.*\nkind.*\n/m, "")],
  ["has lost its name", (text: string) => text.replace("name: readers", "")],
  ["has become a list", (text: string) => `- ${text.trimEnd().replaceAll("\n", "\n  ")}\n`],
  ["has become plain text", () => "readers\n"],
  ["has another kind by a slip of the pen", (text: string) => text.replace(/^kind: .*$/m, "kind: AuthorizationPolcy")],
  [
    "has group and kind misspelt",
    (text: string) => text.replace(/^apiVersion.*\nkind.*$/m, "apiVersion: v1\nkind: AuthorizationPolicies"),
  ],
] as const) {
  test(`a document that ${title} takes nothing out of force that came from its file`, () => {
    const before = accept([], files).accepted;
    const spoilt = spoil(files["policy.yaml"]);
    assert.notEqual(spoilt, files["policy.yaml"]);
    const acceptance = accept(before, { ...files, "policy.yaml": spoilt });
    assert.deepEqual(names(acceptance), names(accept([], files)));
    assert.deepEqual(acceptance.broken, []);
    assert.ok(errors(acceptance).length > 0);
  });
}

test("two documents that have run together take nothing out of force", () => {
  const both = `${files["route.yaml"]}---\n${files["policy.yaml"]}`;
  const { "policy.yaml": _moved, ...rest } = files;
  const before = accept([], { ...rest, "route.yaml": both }).accepted;
  const acceptance = accept(before, { ...rest, "route.yaml": both.replace("---\n", "") });
  assert.deepEqual(names(acceptance), names(accept([], files)));
  assert.deepEqual(acceptance.broken, []);
});

test("a new policy that has run together with an accepted resource of another kind denies", () => {
  const before = accept([], files).accepted;
  const text = `${files["route.yaml"]}${policy("rules: [{}]", "added")}`;
  const acceptance = accept(before, { ...files, "route.yaml": text });
  assert.deepEqual(
    acceptance.broken.map(({ kind, namespace }) => [kind, namespace]),
    [["AuthorizationPolicy", "istio-system"]],
  );
});

test("a resource of a foreign kind keeps nothing that was removed from its file", () => {
  const service = "apiVersion: v1\nkind: Service\nmetadata: { name: reviews }\nspec: {}\n";
  const before = accept([], { ...files, "route.yaml": `${files["route.yaml"]}---\n${service}` }).accepted;
  const acceptance = accept(before, { ...files, "route.yaml": service });
  assert.equal(names(acceptance).includes("VirtualService/reviews"), false);
});

test("a file that cannot be read keeps everything that came from it", () => {
  const before = accept([], files).accepted;
  const { "policy.yaml": _unread, ...rest } = files;
  const parsed = Object.entries(rest).map(([file, text]) => parseFile(text, file));
  const acceptance = acceptResources(before, [...parsed, unreadableFile("policy.yaml", "permission denied")], options);
  assert.ok(acceptance.accepted.length === 4 && acceptance.accepted.every((each) => before.includes(each)));
  assert.deepEqual(codes(acceptance), ["HDL0008", "HDL0201"]);
});

test("a folder that cannot be read keeps everything that came from it", () => {
  const before = accept([], {
    "mesh.yaml": mesh,
    "sub/rule.yaml": rule("v1"),
    "subway.yaml": policy("rules: [{}]"),
  }).accepted;
  const acceptance = acceptResources(
    before,
    [parseFile(mesh, "mesh.yaml"), unreadableFile("sub", "permission denied")],
    options,
  );
  assert.deepEqual(names(acceptance), ["DestinationRule/reviews", "LocalMesh/mesh"]);
});

const selecting = "selector: { matchLabels: { app: reviews } }\n";

test("a broken policy at first sight denies what it selects", () => {
  const { broken, findings, accepted } = accept([], { "policy.yaml": policy(`${selecting}rules: [{ form: [] }]`) });
  assert.deepEqual(accepted, []);
  assert.deepEqual(broken, [
    {
      kind: "AuthorizationPolicy",
      namespace: "default",
      name: "readers",
      selector: { app: "reviews" },
      source: { file: "policy.yaml", line: 1 },
    },
  ]);
  assert.match(
    findings.find((finding) => finding.code === "HDL0202")?.message ?? "",
    /every request to workloads with app: reviews in the namespace default is denied/,
  );
});

test("a broken policy whose selector cannot be read denies its namespace, or the mesh", () => {
  const scope = (text: string) =>
    accept([], { "policy.yaml": text }).broken.map(({ namespace, selector }) => ({ namespace, selector }));
  assert.deepEqual(scope(policy("selector: { matchLabels: [app] }")), [{ namespace: "default", selector: undefined }]);
  assert.deepEqual(scope(policy("rulez: []").replace("{ name: readers }", "{ name: a, namespace: istio-system }")), [
    { namespace: "istio-system", selector: undefined },
  ]);
  assert.deepEqual(scope(policy("rulez: []").replace("{ name: readers }", "{ name: a, namespace: [] }")), [
    { namespace: "istio-system", selector: undefined },
  ]);
});

test("a broken policy with an earlier version goes on with it and denies nothing more", () => {
  const before = accept([], files).accepted;
  const acceptance = accept(before, { ...files, "policy.yaml": policy("rulez: []") });
  assert.deepEqual(acceptance.broken, []);
  assert.ok(acceptance.accepted.every((each) => before.includes(each)));
});

test("broken YAML with a policy that was accepted from the same file denies nothing more", () => {
  const before = accept([], files).accepted;
  const acceptance = accept(before, {
    ...files,
    "policy.yaml": files["policy.yaml"].replace("{ name: readers }", "{ name: readers"),
  });
  assert.deepEqual(acceptance.broken, []);
  assert.equal(acceptance.accepted.length, 4);
});

test("a policy written twice at first sight denies", () => {
  const text = policy(`${selecting}rules: [{}]`);
  const { broken, accepted } = accept([], { "a.yaml": text, "b.yaml": text });
  assert.deepEqual(accepted, []);
  assert.deepEqual(
    broken.map((each) => each.selector),
    [{ app: "reviews" }],
  );
});

test("a policy written twice at first sight denies what either of them selects", () => {
  const text = policy(`${selecting}rules: [{}]`);
  const { broken } = accept([], { "a.yaml": text, "b.yaml": text.replace("app: reviews", "app: books") });
  assert.deepEqual(
    broken.map((each) => each.selector),
    [{ app: "reviews" }, { app: "books" }],
  );
});

test("a policy that cannot be carried out denies, a broken one that only watches does not", () => {
  assert.equal(accept([], { "a.yaml": policy("action: CUSTOM\nprovider: { name: a }\nrules: [{}]") }).broken.length, 1);
  const watching = policy("rulez: []").replace(
    "{ name: readers }",
    '{ name: a, annotations: { istio.io/dry-run: "true" } }',
  );
  assert.deepEqual(accept([], { "a.yaml": watching }).broken, []);
});

test("once mended, a broken policy is accepted and nothing is denied for it", () => {
  const before = accept([], { "policy.yaml": policy("rulez: []") });
  const after = accept(before.accepted, files);
  assert.deepEqual(after.broken, []);
  assert.equal(names(after).includes("AuthorizationPolicy/readers"), true);
});

test("a policy of another kind that was accepted from the same file does not stand for a broken one", () => {
  const peer = documentOf("PeerAuthentication", "mtls: { mode: STRICT }", "{ name: strict }");
  const before = accept([], { "both.yaml": peer }).accepted;
  const acceptance = accept(before, { "both.yaml": `${policy("rules: [").trimEnd()}\n` });
  assert.deepEqual(names(acceptance), ["PeerAuthentication/strict"]);
  assert.deepEqual(
    acceptance.broken.map((each) => each.kind),
    ["AuthorizationPolicy"],
  );
});

test("a broken policy whose name can be told goes on with its version from another file", () => {
  const before = accept([], files).accepted;
  const { "policy.yaml": moved, ...rest } = files;
  const acceptance = accept(before, { ...rest, "moved.yaml": moved.replace("rules: [{}]", "rules: [{}") });
  assert.deepEqual(acceptance.broken, []);
  assert.equal(names(acceptance).includes("AuthorizationPolicy/readers"), true);
});

test("written twice at first sight: a PeerAuthentication denies what it selects, an empty selector the namespace, a watching policy nothing", () => {
  const twice = (text: string) => accept([], { "a.yaml": text, "b.yaml": text }).broken.map((each) => each.selector);
  const peer = (labels: string) =>
    documentOf("PeerAuthentication", `selector: { matchLabels: { ${labels} } }\nmtls: { mode: STRICT }`);
  assert.deepEqual(twice(peer("app: a")), [{ app: "a" }]);
  assert.deepEqual(twice(peer("")), [undefined]);
  assert.deepEqual(
    twice(policy("rules: [{}]").replace("{ name: readers }", '{ name: a, annotations: { istio.io/dry-run: "true" } }')),
    [],
  );
});

test("one edit that breaks several documents tells once of each that its version stays", () => {
  const whole = [rule("v1", "v2"), route("v1"), policy("rules: [{}]")].join("\n---\n");
  const before = accept([], { "mesh.yaml": mesh, "all.yaml": whole }).accepted;
  const acceptance = accept(before, { "mesh.yaml": mesh, "all.yaml": whole.replaceAll(/^spec:/gm, "spec") });
  const kept = acceptance.findings.filter(({ code }) => code === "HDL0201").map(({ resource }) => resource?.kind ?? "");
  assert.deepEqual(kept.sort(), ["AuthorizationPolicy", "DestinationRule", "VirtualService"]);
});
