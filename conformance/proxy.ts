import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route } from "../packages/proxy/src/testing/bootstrap-json.ts";
import { accessLog, peerMetadata, standardMetrics } from "../packages/proxy/src/testing/mesh-json.ts";
import { listenerPort } from "../packages/proxy/src/testing/proxy-process.ts";
import { ServerProgram } from "./program.ts";
import type { Served, Site, Way } from "./suite.ts";

type Json = Record<string, unknown>;

const extension = "type.googleapis.com/envoy.extensions";

function rbac(name: string, action: "ALLOW" | "DENY", permission: Json): Json {
  const policies = { [name]: { permissions: [permission], principals: [{ any: true }] } };
  const type = `${extension}.filters.http.rbac.v3.RBAC`;
  return { name, typed_config: { "@type": type, rules: { action, policies } } };
}

/** Every HTTP filter that a proxy of the mesh has, each of which looks at every request and lets it through. */
const filters: readonly Json[] = [
  peerMetadata("conformance", "INBOUND", "spiffe://cluster.local/ns/shop/sa/conformance"),
  rbac("deny", "DENY", { header: { name: "x-denied", present_match: true } }),
  rbac("allow", "ALLOW", { any: true }),
  {
    name: "fault",
    typed_config: {
      "@type": `${extension}.filters.http.fault.v3.HTTPFault`,
      abort: { http_status: 418, percentage: { numerator: 100 } },
      headers: [{ name: "x-fault", present_match: true }],
    },
  },
  standardMetrics("DESTINATION"),
];

/** As the compiler writes them for a sidecar. */
const retryPolicy: Json = {
  retry_on: "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes,reset",
  num_retries: 2,
  retry_options_predicates: [
    { name: "idempotent", typed_config: { "@type": "type.googleapis.com/heddle.v1.IdempotentRequest" } },
  ],
};

const heddle = fileURLToPath(new URL("../packages/cli/bin/heddle.js", import.meta.url));
const optionsName = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
/** As Envoy, the proxy drops trailers on HTTP/1.1 unless it is told to pass them. */
const withTrailers: Json = { http_protocol_options: { enable_trailers: true } };

function over(explicit_http_config: Json): Json {
  const options = { "@type": `type.googleapis.com/${optionsName}`, explicit_http_config };
  return { typed_extension_protocol_options: { [optionsName]: options } };
}

const overHttp1 = over(withTrailers);
const overHttp2 = over({ http2_protocol_options: { allow_connect: true } });

function downstreamTls({ certificate, key }: Site["tls"]): Json {
  return {
    name: "tls",
    typed_config: {
      "@type": `${extension}.transport_sockets.tls.v3.DownstreamTlsContext`,
      common_tls_context: {
        alpn_protocols: ["h2", "http/1.1"],
        tls_certificates: [{ certificate_chain: { filename: certificate }, private_key: { filename: key } }],
      },
    },
  };
}

/** A Heddle proxy between clients and one server, with a listener for each way. */
export class ConformanceProxy implements AsyncDisposable {
  readonly #process: ServerProgram;
  readonly #admin: number;

  private constructor(process: ServerProgram, admin: number) {
    this.#process = process;
    this.#admin = admin;
  }

  static async start(ways: readonly Way[], served: Served, site: Site): Promise<ConformanceProxy> {
    const listeners: Json[] = [];
    const clusters: Json[] = [];
    for (const way of ways) {
      let nextPort = served.ports[way.server];
      if (nextPort === undefined) throw new Error(`the server of ${way.name} does not speak ${way.server}`);
      let speaks: string = way.server;
      for (const [index, taken] of [...way.hops.entries()].reverse()) {
        const name = `${way.name} ${index}`;
        const port = index === 0 ? 0 : await freePort();
        clusters.push(cluster(name, [nextPort], speaks === "h2" ? overHttp2 : overHttp1));
        listeners.push(
          httpListener({
            name,
            port,
            filters,
            routes: [route("/", name, { timeout: "0s", retry_policy: retryPolicy })],
            manager: {
              codec_type: taken === "h1" ? "HTTP1" : "HTTP2",
              upgrade_configs: [{ upgrade_type: "websocket" }],
              ...withTrailers,
              http2_protocol_options: { allow_connect: true },
              ...accessLog(join(site.folder, "access.log"), "%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE%"),
            },
            ...(taken === "h2-tls" ? { transportSocket: downstreamTls(site.tls) } : {}),
          }),
        );
        nextPort = port;
        speaks = taken;
      }
    }
    const config = join(site.folder, "bootstrap.json");
    await writeFile(config, JSON.stringify(bootstrap(listeners, clusters)));
    const args = ["--disable-warning=ExperimentalWarning", heddle, "proxy", "-c", config, "--concurrency", "1"];
    const { server, match } = await ServerProgram.start(process.execPath, args, /ready admin=(\d+)/);
    return new ConformanceProxy(server, Number(match[1]));
  }

  port(way: Way): Promise<number> {
    return listenerPort(this.#admin, `${way.name} 0`);
  }

  /** What it said. */
  get log(): string {
    return this.#process.words;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }
}
