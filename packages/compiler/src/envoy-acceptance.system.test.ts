// What the compiler says to Envoys, Envoy understands: `--mode validate` builds everything that a proxy is told.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, globSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ThrowawayCa } from "@heddle/testkit";
import { Compiler, type ProxyResources } from "./compiler.ts";
import { resourcesToJson } from "./testing/resource-text.ts";
import { readScene } from "./testing/scene.ts";

const address = { socket_address: { address: "127.0.0.1", port_value: 0 } };
const http2 = {
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicit_http_config: { http2_protocol_options: {} },
  },
};

/** A listener for each route table and a cluster for each assignment, so that what comes by RDS and EDS is built, too. */
function bootstrap({ listeners, routes, clusters, endpoints }: ProxyResources): object {
  const tables = resourcesToJson(routes).map((table, index) => ({
    name: `table-${index}`,
    address,
    filter_chains: [
      {
        filters: [
          {
            name: "http",
            typed_config: {
              "@type":
                "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
              stat_prefix: "table",
              route_config: { ...(table as object), validate_clusters: false },
              http_filters: [
                {
                  name: "router",
                  typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
                },
              ],
            },
          },
        ],
      },
    ],
  }));
  const assignments = resourcesToJson(endpoints).map((assignment, index) => ({
    name: `assignment-${index}`,
    type: "STATIC",
    load_assignment: assignment,
  }));
  const server = { name: "control-plane", type: "STATIC", typed_extension_protocol_options: http2 };
  return {
    node: { id: "validated", cluster: "validated" },
    dynamic_resources: {
      ads_config: {
        api_type: "GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "control-plane" } }],
      },
    },
    static_resources: {
      listeners: [...resourcesToJson(listeners), ...tables],
      clusters: [server, { ...server, name: "sds-grpc" }, ...resourcesToJson(clusters), ...assignments],
    },
  };
}

/** What Envoy says against a bootstrap; empty: nothing. */
async function complaintsOf(path: string): Promise<string> {
  // Envoy opens its standard output by name for access logs, which a pipe of Node's refuses.
  const log = openSync(`${path}.log`, "w");
  const envoy = spawn("envoy", ["--mode", "validate", "-l", "error", "-c", path], { stdio: ["ignore", log, log] });
  const [code] = (await once(envoy, "exit")) as [number | null];
  closeSync(log);
  return code === 0 ? "" : readFileSync(`${path}.log`, "utf8");
}

/** By their names in `/etc/certs`. */
const files = (async (): Promise<Record<string, string>> => {
  const ca = await ThrowawayCa.create();
  const web = await ca.issue("", { uris: [], dnsNames: ["web.example"] });
  return {
    "ca.pem": ca.certificatePem,
    "ca.crl": await ca.revoke([]),
    "web.pem": web.chainPem,
    "web.key": web.privateKeyPem,
  };
})();

const root = new URL(".", import.meta.url);
for (const input of globSync("*/testdata/*.in.yaml", { cwd: root }).sort()) {
  test(`Envoy takes all that ${input} compiles to`, { timeout: 120_000 }, async (context) => {
    const folder = mkdtempSync(join(tmpdir(), "heddle-envoy-"));
    context.after(() => rmSync(folder, { recursive: true }));
    for (const [name, content] of Object.entries(await files)) writeFileSync(join(folder, name), content);
    const text = readFileSync(new URL(input, root), "utf8");
    const compiler = new Compiler();
    const { inputs } = readScene(text.slice(text.indexOf("\n---\n") + 5), input);
    compiler.update(inputs);
    for (const { id } of inputs.instances) {
      const path = join(folder, `${id}.json`);
      const resources = compiler.resourcesFor({ instanceId: id, dialect: "envoy" });
      // Envoy reads the files that a DestinationRule names.
      writeFileSync(path, JSON.stringify(bootstrap(resources)).replaceAll("/etc/certs/", `${folder}/`));
      assert.equal(await complaintsOf(path), "", id);
    }
  });
}
