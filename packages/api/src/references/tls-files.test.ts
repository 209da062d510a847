import assert from "node:assert/strict";
import { test } from "node:test";
import { documentOf, resourcesOf } from "../testing/resources.ts";
import { missingTlsFiles } from "./tls-files.ts";

const mesh = documentOf("LocalMesh", "workloads: [{ name: web, service: web, command: [a], port: 8080 }]");
const rule = documentOf(
  "DestinationRule",
  `host: pay.example
trafficPolicy:
  tls: { mode: MUTUAL, caCertificates: /tls/ca.pem, clientCertificate: /tls/own.pem, privateKey: /tls/own.key }
  portLevelSettings:
  - port: { number: 443 }
    tls: { mode: SIMPLE, caCertificates: /tls/port.pem, caCrl: /tls/port.crl }
subsets:
- name: v1
  trafficPolicy: { tls: { mode: SIMPLE, caCertificates: /tls/v1.pem } }`,
);

function found(texts: readonly string[], ...there: readonly string[]): string[] {
  const resources = texts.flatMap((text) => resourcesOf(text));
  return missingTlsFiles(resources, (path) => there.includes(path)).map(
    ({ severity, code, message }) => `${severity} ${code} ${message.split(" that can")[0]}`,
  );
}

test("each file of TLS that is not there is named with its field, wherever a DestinationRule has it", () => {
  const line = (path: string, file: string): string => `warning HDL0120 spec.${path}: there is no file /tls/${file}`;
  assert.deepEqual(found([mesh, rule]), [
    line("trafficPolicy.tls.caCertificates", "ca.pem"),
    line("trafficPolicy.tls.clientCertificate", "own.pem"),
    line("trafficPolicy.tls.privateKey", "own.key"),
    line("trafficPolicy.portLevelSettings[0].tls.caCertificates", "port.pem"),
    line("trafficPolicy.portLevelSettings[0].tls.caCrl", "port.crl"),
    line("subsets[0].trafficPolicy.tls.caCertificates", "v1.pem"),
  ]);
  assert.deepEqual(
    found([rule, mesh], "/tls/ca.pem", "/tls/own.pem", "/tls/own.key", "/tls/port.pem", "/tls/port.crl"),
    [line("subsets[0].trafficPolicy.tls.caCertificates", "v1.pem")],
  );
});

test("without a LocalMesh nothing is known of the machine of the proxies", () => {
  assert.deepEqual(found([rule]), []);
});
