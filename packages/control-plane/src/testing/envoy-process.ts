import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { nodeIdOf } from "./mesh-files.ts";
import type { TestIdentity } from "./test-workload.ts";

export interface EnvoyOptions {
  readonly folder: string;
  readonly instanceId: string;
  readonly identity: TestIdentity;
  readonly rootPem: string;
  /** host:port of the control plane. */
  readonly xdsAddress: string;
  readonly secretPort: number;
  readonly adminPort: number;
  readonly api: "DELTA_GRPC" | "GRPC";
}

/** A real Envoy that takes all of its configuration from the control plane, as a workload's sidecar. */
export class EnvoyProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #adminPort: number;
  readonly #logFile: string;

  private constructor(child: ChildProcess, adminPort: number, logFile: string) {
    this.#child = child;
    this.#adminPort = adminPort;
    this.#logFile = logFile;
  }

  static async start(options: EnvoyOptions): Promise<EnvoyProcess> {
    const { folder, instanceId, adminPort } = options;
    const path = join(folder, `${instanceId}.json`);
    await writeFile(path, JSON.stringify(bootstrap(options)), { mode: 0o600 });
    // Envoy opens its standard output by name for access logs, which a pipe of Node's refuses.
    const logFile = join(folder, `${instanceId}.log`);
    const log = openSync(logFile, "w");
    const args = ["-c", path, "--concurrency", "1", "-l", "info", "--disable-hot-restart"];
    // The package's command is a launcher: the group is what must end.
    const child = spawn("envoy", args, { stdio: ["ignore", log, log], detached: true });
    child.once("error", () => undefined);
    const envoy = new EnvoyProcess(child, adminPort, logFile);
    while (!(await envoy.#isReady())) await delay(50);
    return envoy;
  }

  async #isReady(): Promise<boolean> {
    if (this.#child.exitCode !== null || this.#child.pid === undefined)
      throw new Error(`envoy ended: ${await readFile(this.#logFile, "utf8")}`);
    return fetch(`http://127.0.0.1:${this.#adminPort}/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  async admin(path: string): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.#adminPort}${path}`)).text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid } = this.#child;
    if (pid === undefined || this.#child.exitCode !== null) return;
    const closed = once(this.#child, "close");
    process.kill(-pid, "SIGKILL");
    await closed;
  }
}

function bootstrap(options: EnvoyOptions): object {
  const { instanceId, xdsAddress, secretPort, adminPort, api, identity, rootPem } = options;
  const split = xdsAddress.lastIndexOf(":");
  const http2 = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
      explicit_http_config: { http2_protocol_options: {} },
    },
  };
  const cluster = (name: string, host: string, port: number, more: object): object => ({
    name,
    type: "STATIC",
    connect_timeout: "5s",
    typed_extension_protocol_options: http2,
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(host, port) } }] }],
    },
    ...more,
  });
  return {
    node: { id: nodeIdOf(instanceId), cluster: instanceId },
    admin: { address: socketAddress("127.0.0.1", adminPort) },
    dynamic_resources: {
      ads_config: {
        api_type: api,
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "xds-grpc" } }],
      },
      lds_config: { ads: {}, resource_api_version: "V3" },
      cds_config: { ads: {}, resource_api_version: "V3" },
    },
    static_resources: {
      clusters: [
        cluster("sds-grpc", "127.0.0.1", secretPort, {}),
        cluster("xds-grpc", xdsAddress.slice(0, split), Number(xdsAddress.slice(split + 1)), {
          transport_socket: {
            name: "envoy.transport_sockets.tls",
            typed_config: {
              "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
              common_tls_context: {
                // The control plane speaks nothing older, and Envoy's clients end at 1.2 unless told.
                tls_params: { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" },
                alpn_protocols: ["h2"],
                tls_certificates: [
                  { certificate_chain: inline(identity.chainPem), private_key: inline(identity.keyPem) },
                ],
                validation_context: {
                  trusted_ca: inline(rootPem),
                  match_typed_subject_alt_names: [{ san_type: "URI", matcher: { suffix: "/sa/heddle-control-plane" } }],
                },
              },
            },
          },
        }),
      ],
    },
  };
}

function inline(text: string): object {
  return { inline_string: text };
}

function socketAddress(address: string, port: number): object {
  return { socket_address: { address, port_value: port } };
}
