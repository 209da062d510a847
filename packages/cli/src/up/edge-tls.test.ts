import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { ThrowawayCa } from "@heddle/testkit";
import { answers, edgeUrl, startMesh } from "../testing/live-mesh.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

const files = {
  "mesh.yaml": `apiVersion: heddle.dev/v1alpha1
kind: LocalMesh
metadata: { name: secured }
spec:
  edge: { service: pages, port: 0 }
  workloads:
    - { name: pages, service: pages, command: [node, pages.cjs], port: 443, protocol: https, calls: [] }
`,
  "pages.cjs": `const { readFileSync } = require("node:fs");
require("node:https")
  .createServer({ cert: readFileSync("pages.pem"), key: readFileSync("pages.key") }, (request, response) => {
    response.end("page for " + request.socket.servername + ", " + request.socket.getProtocol());
  })
  .listen(process.env.PORT, "127.0.0.1");
`,
};

/** What the finding HDL0119 says to write. */
const remedy = (caCertificates: string): string => `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: pages }
spec:
  host: pages
  trafficPolicy:
    tls: { mode: SIMPLE, caCertificates: ${caCertificates} }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: pages }
spec:
  selector: { matchLabels: { app: pages } }
  mtls: { mode: PERMISSIVE }
`;

test("an edge in front of a workload that takes TLS is warned of; by a DestinationRule's SIMPLE it gets the page, and from a server that the authorities do not know nothing", {
  timeout: 110_000,
}, async (context) => {
  const [ca, other] = [await ThrowawayCa.create(), await ThrowawayCa.create()];
  const host = "pages.default.svc.cluster.local";
  const pages = await ca.issue("", { uris: [], dnsNames: [host] });
  const folder = temporaryFolder(context, {
    ...files,
    "pages.pem": pages.chainPem,
    "pages.key": pages.privateKeyPem,
    "ca.pem": ca.certificatePem,
    "other-ca.pem": other.certificatePem,
  });
  const heddle = startMesh(context, folder);
  await heddle.line(/mesh\.yaml:5: warning HDL0119: .*takes TLS alone/);
  const url = await edgeUrl(heddle);

  const rule = join(folder, "rule.yaml");
  writeFileSync(rule, remedy(join(folder, "ca.pem")));
  await answers(url, `page for ${host}, TLSv1.3`);

  writeFileSync(rule, remedy(join(folder, "other-ca.pem")));
  while ((await fetch(url)).status !== 503) await delay(20);
  const log = join(folder, ".heddle/logs/edge.proxy.log");
  const reason = /"GET \/ HTTP\/1\.1" 503 \S*UF .*is_signed_by_no_trusted_authority/;
  while (!reason.test(readFileSync(log, "utf8"))) await delay(20);

  heddle.kill("SIGINT");
  assert.equal(await heddle.end(), 0);
});
