import { formatSpiffeId } from "@heddle/core";
import { chown, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile } from "@heddle/state";
import type { FileOwner, ProxyBootstrap } from "./replica-place.ts";

/** What a proxy of the local mesh needs to know to be started. */
export interface ProxyIdentity {
  readonly instanceId: string;
  readonly workload: string;
  readonly service: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly trustDomain: string;
  readonly kind: "sidecar" | "edge";
}

export interface ProxyFiles {
  readonly folder: string;
  readonly bootstrap: string;
  readonly token: string;
  readonly trustBundle: string;
}

/** Paths of one proxy's files below the mesh's state directory. */
export function proxyFiles(stateDir: string, instanceId: string): ProxyFiles {
  const folder = join(stateDir, "proxies", instanceId);
  return {
    folder,
    bootstrap: join(folder, "bootstrap.json"),
    token: join(folder, "join-token"),
    trustBundle: join(folder, "trust-bundle.pem"),
  };
}

/** SPIFFE id of the workload that a proxy stands beside. */
export function spiffeId(proxy: ProxyIdentity): string {
  return formatSpiffeId(proxy.trustDomain, proxy.namespace, proxy.serviceAccount);
}

/** What of a proxy's files depends on where it runs. */
export interface ProxyFilesPlace {
  readonly bootstrap: ProxyBootstrap;
  readonly proxyOwner: FileOwner | undefined;
}

/** Writes bootstrap, join token and trust bundle; 0600 in a folder of 0700, the proxy's own. */
export async function writeProxyFiles(
  files: ProxyFiles,
  proxy: ProxyIdentity,
  control: ControlPlaneDoor,
  { bootstrap: place, proxyOwner }: ProxyFilesPlace,
): Promise<void> {
  const { folder } = files;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (proxyOwner !== undefined) await chown(folder, proxyOwner.uid, proxyOwner.gid);
  const text = `${JSON.stringify(bootstrap(proxy, control, place), undefined, 2)}\n`;
  await replaceFile(files.bootstrap, text, proxyOwner);
  await replaceFile(files.token, `${control.token}\n`, proxyOwner);
  await replaceFile(files.trustBundle, control.trustBundlePem, proxyOwner);
}

/** What a proxy needs to reach its control plane for the first time. */
export interface ControlPlaneDoor {
  readonly xdsAddress: string;
  /** SPIFFE id that it must show. */
  readonly controlPlaneId: string;
  readonly token: string;
  readonly trustBundlePem: string;
}

/** On one machine a control plane that is started again is soon back, and few proxies ask for it. */
const reconnect = { base_interval: "0.1s", max_interval: "1s" };

/**
 * An Envoy bootstrap: delta ADS over the cluster `xds-grpc`, with the certificate that the proxy's own identity manager
 * keeps (`default`, served to itself as Istio's agent serves it to Envoy).
 */
function bootstrap(
  proxy: ProxyIdentity,
  { xdsAddress, controlPlaneId }: ControlPlaneDoor,
  place: ProxyBootstrap,
): object {
  const split = xdsAddress.lastIndexOf(":");
  const role = proxy.kind === "edge" ? "router" : "sidecar";
  return {
    node: {
      id: `${role}~${place.address}~${proxy.instanceId}.${proxy.namespace}~${proxy.namespace}.svc.cluster.local`,
      cluster: `${proxy.service}.${proxy.namespace}`,
      metadata: {
        NAMESPACE: proxy.namespace,
        SERVICE_ACCOUNT: proxy.serviceAccount,
        TRUST_DOMAIN: proxy.trustDomain,
        WORKLOAD_NAME: proxy.workload,
        LABELS: proxy.labels,
        HEDDLE_INSTANCE: proxy.instanceId,
      },
    },
    admin: { address: socketAddress("127.0.0.1", place.adminPort) },
    dynamic_resources: {
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "xds-grpc", retry_policy: { retry_back_off: reconnect } } }],
      },
      lds_config: { ads: {}, resource_api_version: "V3" },
      cds_config: { ads: {}, resource_api_version: "V3" },
    },
    static_resources: {
      listeners: place.listeners,
      clusters: [
        ...place.clusters,
        {
          name: "xds-grpc",
          type: "STATIC",
          connect_timeout: "5s",
          load_assignment: {
            cluster_name: "xds-grpc",
            endpoints: [
              {
                lb_endpoints: [
                  {
                    endpoint: {
                      address: socketAddress(xdsAddress.slice(0, split), Number(xdsAddress.slice(split + 1))),
                    },
                  },
                ],
              },
            ],
          },
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          transport_socket: {
            name: "envoy.transport_sockets.tls",
            typed_config: {
              "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
              common_tls_context: {
                tls_certificate_sds_secret_configs: [localSecret("default")],
                combined_validation_context: {
                  default_validation_context: {
                    match_typed_subject_alt_names: [{ san_type: "URI", matcher: { exact: controlPlaneId } }],
                  },
                  validation_context_sds_secret_config: localSecret("ROOTCA"),
                },
              },
            },
          },
        },
      ],
    },
  };
}

function localSecret(name: string): object {
  return {
    name,
    sds_config: {
      api_config_source: {
        api_type: "GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "sds-grpc" } }],
      },
      resource_api_version: "V3",
    },
  };
}

function socketAddress(address: string, port: number): object {
  return { socket_address: { address, port_value: port } };
}
