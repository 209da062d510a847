import { createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { silentLogger } from "@heddle/core";
import { type Node, type ResourceType, resourceSchemas, typeRegistry } from "@heddle/xds/api";
import { AdsServer, type ProxyStatus, versionedResource, type VersionedResource } from "@heddle/xds/server";
import { http2Cluster } from "./bootstrap-json.ts";

/** Resources by type URL, as JSON. */
export type JsonResources = Partial<Record<ResourceType, readonly Record<string, unknown>[]>>;

/** A control plane in plaintext that serves what a test gives it. */
export class AdsControlPlane implements AsyncDisposable {
  readonly #ads: AdsServer;
  #server: Http2Server | undefined;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #wakers = new Set<() => void>();
  #resources: JsonResources = {};
  #version = 0;
  #port = 0;
  /** What the last proxy that came said of itself. */
  node: Node | undefined;

  constructor() {
    this.#ads = new AdsServer({
      authorize: (_peer, node) => ({ ok: true, proxyId: node.id }),
      onNode: (proxyId, node) => {
        this.node = node;
        this.#ads.setSnapshot(proxyId, this.#snapshot());
      },
      onStatusChange: () => {
        for (const wake of this.#wakers) wake();
      },
      clock: { wallMs: () => Date.now(), monotonicMs: () => performance.now() },
      logger: silentLogger,
    });
  }

  /** Listens, the first time on a free port, later on the same one. */
  async start(): Promise<void> {
    const server = createServer(connectNodeAdapter({ routes: this.#ads.routes }));
    server.on("session", (session) => {
      this.#sessions.add(session);
      session.once("close", () => this.#sessions.delete(session));
    });
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  get port(): number {
    return this.#port;
  }

  /** Ends as a crash would. */
  async stop(): Promise<void> {
    for (const session of this.#sessions) session.destroy();
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  /** Serves these resources from now on; returns the version by which `synced` knows them. */
  set(resources: JsonResources): string {
    this.#resources = resources;
    this.#version += 1;
    for (const { proxyId } of this.#ads.status()) this.#ads.setSnapshot(proxyId, this.#snapshot());
    return String(this.#version);
  }

  /** Waits until the proxy has accepted a version whole. */
  async synced(version: string): Promise<void> {
    await this.#until((status) => status.syncedVersion === version);
  }

  /** Waits for a refusal, and returns what it says. */
  async refused(type: ResourceType): Promise<string> {
    let message = "";
    await this.#until((status) => {
      const found = status.types.find((one) => one.type === type);
      message = found?.lastNack?.message ?? "";
      return found?.state === "rejected";
    });
    return message;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #until(holds: (status: ProxyStatus) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if (!this.#ads.status().some(holds)) return;
        this.#wakers.delete(check);
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(
        () => reject(new Error(`the proxy did not get there: ${JSON.stringify(this.#ads.status())}`)),
        15_000,
      );
      this.#wakers.add(check);
      check();
    });
  }

  #snapshot(): { version: string; resources: Map<string, Map<string, VersionedResource>> } {
    const resources = new Map<string, Map<string, VersionedResource>>();
    for (const [type, items] of Object.entries(this.#resources) as [
      ResourceType,
      readonly Record<string, unknown>[],
    ][]) {
      const ofType = new Map<string, VersionedResource>();
      for (const json of items) {
        const message = fromJson(resourceSchemas[type], json as JsonValue, { registry: typeRegistry });
        const name = String(json["name"] ?? json["cluster_name"]);
        ofType.set(name, versionedResource(name, message));
      }
      resources.set(type, ofType);
    }
    return { version: String(this.#version), resources };
  }
}

/** A bootstrap whose configuration comes from a control plane on this port. */
export function adsBootstrap(port: number, api: "DELTA_GRPC" | "GRPC" = "DELTA_GRPC"): object {
  const ads = { ads: {}, resource_api_version: "V3" };
  return {
    node: { id: "test", cluster: "test" },
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
    dynamic_resources: {
      lds_config: ads,
      cds_config: ads,
      ads_config: {
        api_type: api,
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "xds" } }],
      },
    },
    static_resources: {
      clusters: [
        {
          name: "xds",
          type: "STATIC",
          connect_timeout: "1s",
          ...http2Cluster(),
          load_assignment: {
            cluster_name: "xds",
            endpoints: [
              {
                lb_endpoints: [
                  { endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } } },
                ],
              },
            ],
          },
        },
      ],
    },
  };
}
