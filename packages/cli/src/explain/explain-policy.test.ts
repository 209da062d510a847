import assert from "node:assert/strict";
import { test } from "node:test";
import { explain, mesh, policy } from "../testing/explained-mesh.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { MeshOnPaper } from "./mesh-on-paper.ts";
import { readQuestion } from "./question.ts";
import { explainSource } from "./source-side.ts";

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
