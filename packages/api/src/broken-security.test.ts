import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFile } from "./parse-file.ts";

const head = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n";
const wrong = "rules: [{ form: [] }]";

/** What the one broken document of a text is taken for: `namespace|selector`, "?" for what cannot be told. */
function scopeOf(text: string): string | undefined {
  const { broken, resources } = parseFile(text, "test.yaml");
  assert.deepEqual(resources, []);
  const security = broken.map((each) => each.security).find((each) => each !== undefined);
  if (security === undefined) return undefined;
  const labels = security.selector === undefined ? "?" : JSON.stringify(security.selector);
  return `${security.kind} ${security.namespace ?? "?"} ${security.name} ${labels}`;
}

const cases: readonly [string, string, string | undefined][] = [
  [
    "a wrong rule keeps selector and namespace",
    `${head}metadata: { name: a, namespace: shop }\nspec: { selector: { matchLabels: { app: web } }, ${wrong} }`,
    'AuthorizationPolicy shop a {"app":"web"}',
  ],
  [
    "no selector is the whole namespace",
    `${head}metadata: { name: a }\nspec: { ${wrong} }`,
    "AuthorizationPolicy default a ?",
  ],
  [
    "a selector that is wrong is the whole namespace",
    `${head}metadata: { name: a }\nspec: { selector: { matchLabel: { app: web } } }`,
    "AuthorizationPolicy default a ?",
  ],
  [
    "a selector with one wrong label is the whole namespace",
    `${head}metadata: { name: a }\nspec: { selector: { matchLabels: { app: web, b: "c*" } } }`,
    "AuthorizationPolicy default a ?",
  ],
  [
    "targetRefs are the whole namespace",
    `${head}metadata: { name: a }\nspec: { targetRefs: [], selector: { matchLabels: { app: web } } }`,
    "AuthorizationPolicy default a ?",
  ],
  [
    "a spec that is none is the whole namespace",
    `${head}metadata: { name: a }\nspec: none`,
    "AuthorizationPolicy default a ?",
  ],
  [
    "a namespace that is wrong is every namespace",
    `${head}metadata: { name: a, namespace: [shop] }\nspec: {}`,
    "AuthorizationPolicy ? a ?",
  ],
  ["metadata that is wrong is every namespace", `${head}metadata: a\nspec: {}`, "AuthorizationPolicy ? (unreadable) ?"],
  [
    "an action that is not supported yet denies",
    `${head}metadata: { name: a }\nspec: { action: AUDIT, rules: [{}] }`,
    "AuthorizationPolicy default a ?",
  ],
  [
    "a policy that would only watch denies nothing",
    `${head}metadata: { name: a, annotations: { istio.io/dry-run: "true" } }\nspec: { ${wrong} }`,
    undefined,
  ],
  [
    "a version that is not served",
    "apiVersion: security.istio.io/v9\nkind: PeerAuthentication\nmetadata: { name: a }\nspec: {}",
    "PeerAuthentication default a ?",
  ],
  ["no apiVersion", "kind: PeerAuthentication\nmetadata: { name: a }\nspec: {}", "PeerAuthentication default a ?"],
  [
    "a misspelt kind of the security group",
    "apiVersion: security.istio.io/v1\nkind: PeerAuthetication\nmetadata: { name: a }\nspec: {}",
    "PeerAuthentication default a ?",
  ],
  [
    "a RequestAuthentication, which is not carried out yet",
    "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: { name: a }\nspec: {}",
    "RequestAuthentication default a ?",
  ],
  [
    "Linkerd's policies are not ours",
    "apiVersion: policy.linkerd.io/v1alpha1\nkind: AuthorizationPolicy\nmetadata: { name: a }\nspec: {}",
    undefined,
  ],
  [
    "other kinds are no policies",
    "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: a }\nspec: {}",
    undefined,
  ],
  [
    "broken YAML: the selector is not believed",
    `${head}metadata: { name: a }\nspec: { selector: { matchLabels: { app: web } }\n`,
    "AuthorizationPolicy default a ?",
  ],
  [
    "broken YAML: a namespace on its own line is believed",
    `${head}metadata:\n  name: a\n  namespace: shop\nspec:\n\tx: 1\n`,
    "AuthorizationPolicy shop a ?",
  ],
  [
    "broken YAML: two mentions of a namespace are every namespace",
    `${head}metadata:\n  name: a\n  namespace: shop\nspec:\n\tnamespaces: [b]\n`,
    "AuthorizationPolicy ? a ?",
  ],
  [
    "broken YAML: an open quote cannot hide the policy below it",
    `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: "x }\n---\n${head}metadata: { name: a }\nspec: {}\n`,
    "AuthorizationPolicy ? (unreadable) ?",
  ],
  [
    "a list of policies",
    "- apiVersion: security.istio.io/v1\n  kind: AuthorizationPolicy\n  metadata: { name: a }\n  spec: {}\n",
    "AuthorizationPolicy default (unreadable) ?",
  ],
  [
    "a List whose head is damaged",
    '{ "apiVersion": "v2", "kind": "List", "items": [{ "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy" }] }',
    "AuthorizationPolicy ? (unreadable) ?",
  ],
  ["a list of other things", "- kind: Deployment\n- AuthorizationPolicy\n", undefined],
  [
    "a key written twice: the selector is not believed",
    `${head}metadata: { name: a }\nspec:\n  selector: { matchLabels: { app: a } }\n  selector: { matchLabels: { app: b } }\n`,
    "AuthorizationPolicy default a ?",
  ],
];

for (const [title, text, expected] of cases) {
  test(title, () => {
    assert.equal(scopeOf(text), expected);
  });
}
