import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CLUSTER_TYPE, ClusterSchema, fromJson, LISTENER_TYPE, ListenerSchema, typeRegistry } from "@heddle/xds/api";
import { cluster, httpListener } from "../testing/bootstrap-json.ts";
import { loadResource } from "./resource-loader.ts";

type Json = Record<string, unknown>;

const registry = { registry: typeRegistry };

function secured(file: (name: string) => Json): Json {
  return cluster("up", [1], {
    transport_socket: {
      name: "tls",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        common_tls_context: {
          tls_certificates: [{ certificate_chain: file("chain.pem"), private_key: file("key.pem") }],
          validation_context: { trusted_ca: file("ca.pem"), crl: file("ca.crl") },
        },
      },
    },
  });
}

function problemsOf(json: Json, source: "ads" | "static" = "ads"): string[] {
  const message = fromJson(ClusterSchema, json as never, registry);
  return loadResource(CLUSTER_TYPE, message, source).problems.map(({ path, message: text }) => `${path}: ${text}`);
}

test("a control plane may name the files of a cluster's TLS, and they are read only where they are files", (context) => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-files-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const names = ["chain.pem", "key.pem", "ca.pem", "ca.crl"];
  for (const name of names) writeFileSync(join(folder, name), "PEM");
  assert.deepEqual(problemsOf(secured((name) => ({ filename: join(folder, name) }))), []);
  // A device would be read for ever.
  for (const path of ["/dev/zero", folder, join(folder, "absent")]) {
    const problems = problemsOf(secured((name) => ({ filename: name === "ca.pem" ? path : join(folder, name) })));
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? "", /trusted_ca\.filename: .*: the file cannot be read$/);
  }
});

test("a control plane may have neither another file nor the environment read, which an answer could show", (context) => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-files-"));
  context.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "text"), "text");
  process.env["HEDDLE_TEST_TEXT"] = "text";
  const answering = (body: Json) =>
    fromJson(
      ListenerSchema,
      httpListener({
        name: "web",
        routes: [{ match: { prefix: "/" }, direct_response: { status: 200, body } }],
      }) as never,
      registry,
    );
  for (const [body, why] of [
    [{ filename: join(folder, "text") }, /files are not read here/],
    [{ environment_variable: "HEDDLE_TEST_TEXT" }, /is not set/],
  ] as const) {
    assert.match(loadResource(LISTENER_TYPE, answering(body), "ads").problems[0]?.message ?? "", why);
    assert.deepEqual(loadResource(LISTENER_TYPE, answering(body), "static").problems, []);
  }
  const environment = secured(() => ({ environment_variable: "HEDDLE_TEST_TEXT" }));
  assert.equal(problemsOf(environment).length, 4);
  assert.deepEqual(problemsOf(environment, "static"), []);
});
