import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFile, unreadableFile } from "./parse-file.ts";
import { documentOf, findingsOf, resourceOf, resourcesOf } from "./testing/resources.ts";

const rule = "host: a";

test("a file may hold many documents; each resource knows its lines", () => {
  const text = `# a comment\n${documentOf("DestinationRule", rule, "{ name: one }")}---\n${documentOf("DestinationRule", "host: b\nsubsets:\n- name: v1", "{ name: two }")}`;
  const [one, two] = resourcesOf(text, "rules.yaml");
  assert.deepEqual(one?.source, { file: "rules.yaml", line: 2 });
  assert.deepEqual(two?.source, { file: "rules.yaml", line: 8 });
  assert.deepEqual(two?.locate(["spec", "subsets", 0, "name"]), { file: "rules.yaml", line: 14 });
  assert.deepEqual(two?.locate(["spec", "nothing"]), { file: "rules.yaml", line: 11 });
});

test("JSON is YAML, too", () => {
  const json = JSON.stringify({
    apiVersion: "networking.istio.io/v1",
    kind: "DestinationRule",
    metadata: { name: "a" },
    spec: { host: "a" },
  });
  assert.equal(resourceOf("DestinationRule", json).metadata.name, "a");
});

test("every served version is read", () => {
  for (const version of ["v1", "v1beta1", "v1alpha3"]) {
    const text = documentOf("DestinationRule", rule).replace("istio.io/v1\n", `istio.io/${version}\n`);
    assert.equal(resourceOf("DestinationRule", text).apiVersion, `networking.istio.io/${version}`);
  }
});

test("the namespace is default unless set; labels and annotations are kept", () => {
  const { metadata } = resourceOf(
    "DestinationRule",
    documentOf("DestinationRule", rule, "{ name: a, labels: { team: x }, annotations: { note: y } }"),
  );
  assert.deepEqual(metadata, {
    name: "a",
    namespace: "default",
    labels: { team: "x" },
    annotations: { note: "y" },
    generation: 0,
  });
});

test("what kubectl prints is read, its bookkeeping set aside", () => {
  const text = `
apiVersion: v1
kind: List
items:
  - apiVersion: networking.istio.io/v1
    kind: DestinationRule
    metadata:
      name: a
      namespace: shop
      uid: 12-34
      resourceVersion: "99"
      generation: 3
      creationTimestamp: "2026-08-22T09:30:00Z"
      managedFields: [{ manager: kubectl, fieldsV1: { "f:spec": {} } }]
    spec:
      host: a
    status: { conditions: [] }
  - apiVersion: networking.istio.io/v1
    kind: DestinationRule
    metadata: { name: b, creationTimestamp: null, labels: null }
    spec:
      hots: a
metadata: { resourceVersion: "" }
`;
  const { resources, findings } = parseFile(text, "all.yaml");
  assert.deepEqual(
    resources.map((each) => each.metadata),
    [
      {
        name: "a",
        namespace: "shop",
        labels: {},
        annotations: {},
        creationTimestamp: "2026-08-22T09:30:00Z",
        generation: 3,
      },
    ],
  );
  assert.deepEqual(resources[0]?.locate(["spec", "host"]).line, 16);
  assert.deepEqual(
    findings.map((finding) => `${finding.code}:${finding.line}`),
    ["HDL0010:22", "HDL0013:21"],
  );
});

const refused: readonly [string, string, readonly string[]][] = [
  ["a text that is no mapping", "just words\n", ["HDL0003:1"]],
  ["a document without apiVersion", "kind: VirtualService\nspec: {}\n", ["HDL0003:1"]],
  ["a document without kind", "apiVersion: v1\n", ["HDL0003:1"]],
  [
    "a kind of Istio that is not carried out",
    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: a }\n",
    ["HDL0004:2"],
  ],
  [
    "an EnvoyFilter",
    "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: { name: a }\n",
    ["HDL0004:2"],
  ],
  ["a kind of Kubernetes", "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: a }\n", ["HDL0004:2"]],
  ["a misspelt kind", "apiVersion: networking.istio.io/v1\nkind: VirtualServices\n", ["HDL0005:2"]],
  ["a kind nobody knows", "apiVersion: example.org/v1\nkind: Thing\n", ["HDL0005:2"]],
  ["a version that is not served", "apiVersion: networking.istio.io/v2\nkind: VirtualService\n", ["HDL0006:1"]],
  ["a group that does not have the kind", "apiVersion: security.istio.io/v1\nkind: VirtualService\n", ["HDL0006:1"]],
  [
    "Linkerd's kind of the same name",
    "apiVersion: policy.linkerd.io/v1alpha1\nkind: AuthorizationPolicy\nmetadata: { name: a }\n",
    ["HDL0004:2"],
  ],
  ["no metadata", "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nspec: { host: a }\n", ["HDL0013:1"]],
  ["no name", documentOf("DestinationRule", rule, "{ namespace: a }"), ["HDL0013:3"]],
  ["a name that is none", documentOf("DestinationRule", rule, "{ name: A_b }"), ["HDL0017:3"]],
  ["a namespace that is none", documentOf("DestinationRule", rule, "{ name: a, namespace: a.b }"), ["HDL0017:3"]],
  [
    "an age that is none",
    documentOf("DestinationRule", rule, "{ name: a, creationTimestamp: yesterday }"),
    ["HDL0017:3"],
  ],
  ["an unknown field of metadata", documentOf("DestinationRule", rule, "{ name: a, label: {} }"), ["HDL0010:3"]],
  ["no spec", "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: a }\n", ["HDL0013:1"]],
  [
    "an empty spec",
    "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: a }\nspec:\n",
    ["HDL0011:4"],
  ],
  ["a field beside spec", `${documentOf("DestinationRule", rule)}subsets: []\n`, ["HDL0010:6"]],
  ["a key written twice", documentOf("DestinationRule", "host: a\nhost: b"), ["HDL0002:6"]],
];

for (const [what, text, expected] of refused) {
  test(`${what} is refused with its line`, () => {
    assert.deepEqual(findingsOf(text), expected);
    assert.deepEqual(parseFile(text, "test.yaml").resources, []);
    assert.equal(parseFile(text, "test.yaml").broken.length, 1);
  });
}

test("an error rejects its resource whole and leaves the others of the file alone", () => {
  const text = `${documentOf("DestinationRule", "host: a\nsubset: []", "{ name: bad }")}---\n${documentOf("DestinationRule", rule, "{ name: good }")}`;
  const { resources, broken } = parseFile(text, "test.yaml");
  assert.deepEqual(
    resources.map((each) => each.metadata.name),
    ["good"],
  );
  assert.deepEqual(
    broken.map((each) => each.identity),
    [{ kind: "DestinationRule", namespace: "default", name: "bad" }],
  );
});

test("findings name the resource, and what they know better than the table as a hint", () => {
  const [finding] = parseFile(documentOf("DestinationRule", "host: a\nsubset: []"), "test.yaml").findings;
  assert.deepEqual(finding, {
    severity: "error",
    code: "HDL0010",
    message: "spec.subset is not a field.",
    resource: { kind: "DestinationRule", namespace: "default", name: "test" },
    file: "test.yaml",
    line: 6,
    hint: "Did you mean subsets?",
  });
});

test("a warning rejects nothing", () => {
  const { resources, findings } = parseFile(documentOf("AuthorizationPolicy", "action: DENY"), "test.yaml");
  assert.equal(resources.length, 1);
  assert.deepEqual(
    findings.map((finding) => finding.severity),
    ["warning"],
  );
});

test("a file that cannot be read is one error and one unreadable document", () => {
  const parsed = unreadableFile("mesh/a.yaml", "permission denied");
  assert.deepEqual(
    parsed.findings.map((finding) => `${finding.code} ${finding.message}`),
    ["HDL0008 The file cannot be read: permission denied."],
  );
  assert.deepEqual(
    parsed.broken.map((each) => each.isReadable),
    [false],
  );
});
