import type { CompiledResource, Dialect, ProxyNode } from "@heddle/compiler";
import type { Clock, Logger } from "@heddle/core";
import type { Node } from "@heddle/xds/api";
import type { Authorization } from "@heddle/xds/server";
import { AdsServer } from "@heddle/xds/server";
import type { Peer } from "../server/peer.ts";
import { CertificateExpiry } from "./certificate-expiry.ts";
import type { MeshConfiguration } from "./mesh-configuration.ts";
import { authorizeNode, workloadIdentity } from "./node-authorization.ts";
import { proxySnapshot } from "./proxy-snapshot.ts";

export interface PublisherOptions {
  readonly configuration: MeshConfiguration;
  /** Every proxy may ask for these. */
  readonly secrets: readonly CompiledResource[];
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface ConnectedProxy {
  readonly node: ProxyNode;
  /** SPIFFE id that its certificate proved. */
  readonly identity: string;
}

/**
 * Hands every connected proxy what the configuration means for it, and nothing to anybody else. What is handed over is taken by
 * each stream at its own pace (`AdsServer`), so a slow proxy delays no other.
 */
export class Publisher {
  readonly ads: AdsServer<Peer>;
  readonly #options: PublisherOptions;
  readonly #proxies = new Map<string, ConnectedProxy>();
  /** Why a proxy's configuration could not be compiled, by proxy. */
  readonly #problems = new Map<string, string>();
  readonly #identities = new Map<string, string>();
  readonly #expiry: CertificateExpiry;

  constructor(options: PublisherOptions) {
    this.#options = options;
    const { clock, logger, trustDomain } = options;
    this.ads = new AdsServer<Peer>({
      clock,
      logger,
      identifier: `heddle-control-plane ${trustDomain}`,
      authorize: (peer, node) => this.#authorize(peer, node),
      onNode: (proxyId, node) => this.#connect(proxyId, node),
      onGone: (proxyId) => this.#forget(proxyId),
    });
    this.#expiry = new CertificateExpiry({
      clock,
      onExpired: (proxyId, notAfterMs) => {
        const reason = `the certificate with which the stream was opened expired at ${new Date(notAfterMs).toISOString()}: connect again with the current one`;
        logger.warn("a proxy's certificate has expired", {
          proxy: proxyId,
          notAfter: new Date(notAfterMs).toISOString(),
        });
        this.ads.disconnect(proxyId, reason);
      },
    });
  }

  /** The configuration or the registry has changed. */
  publish(): void {
    for (const [proxyId, proxy] of this.#proxies) {
      if (this.#isStillRegistered(proxyId, proxy)) this.#push(proxyId, proxy.node);
    }
  }

  /** Why the newest configuration of a connected proxy could not be compiled; undefined when it could. */
  problemOf(proxyId: string): string | undefined {
    return this.#problems.get(proxyId);
  }

  close(): void {
    this.#expiry.close();
  }

  #authorize(peer: Peer | undefined, node: Node): Authorization {
    const { configuration, trustDomain } = this.#options;
    const verdict = authorizeNode(peer, node, configuration.instances, trustDomain);
    if (!verdict.ok) return verdict;
    this.#identities.set(verdict.proxyId, verdict.identity);
    this.#expiry.admit(verdict.proxyId, verdict.notAfterMs);
    return { ok: true, proxyId: verdict.proxyId };
  }

  #connect(proxyId: string, node: Node): void {
    const proxy = { node: proxyNode(proxyId, node), identity: this.#identities.get(proxyId) ?? "" };
    this.#proxies.set(proxyId, proxy);
    this.#push(proxyId, proxy.node);
  }

  #forget(proxyId: string): void {
    this.#proxies.delete(proxyId);
    this.#identities.delete(proxyId);
    this.#problems.delete(proxyId);
    this.#expiry.forget(proxyId);
  }

  /**
   * A replica that has left the registry is stopping: it keeps what it has, so that its last requests end as they began. One that
   * belongs to somebody else now gets nothing more.
   */
  #isStillRegistered(proxyId: string, proxy: ConnectedProxy): boolean {
    const { configuration, trustDomain } = this.#options;
    const instance = configuration.instances.get(proxyId);
    if (instance === undefined) return false;
    const identity = workloadIdentity(instance, trustDomain);
    if (identity === proxy.identity) return true;
    this.ads.disconnect(
      proxyId,
      `the instance ${proxyId} is ${identity} now, and the certificate says ${proxy.identity}`,
    );
    return false;
  }

  #push(proxyId: string, node: ProxyNode): void {
    const { configuration, secrets, logger } = this.#options;
    try {
      const compiled = configuration.resourcesFor(node);
      if (compiled === undefined) return;
      this.ads.setSnapshot(proxyId, proxySnapshot(String(compiled.version), compiled.resources, secrets));
      this.#problems.delete(proxyId);
    } catch (error) {
      // A fault of the compiler's: it must not keep the change from the other proxies.
      const problem = error instanceof Error ? error.message : String(error);
      this.#problems.set(proxyId, problem);
      logger.error("a proxy's configuration could not be compiled; it keeps the one it has", {
        proxy: proxyId,
        error: problem,
      });
    }
  }
}

/** What a node says of itself: its dialect by `user_agent_name`, its capabilities by metadata. */
function proxyNode(proxyId: string, node: Node): ProxyNode {
  const dialect: Dialect = node.userAgentName === "heddle" ? "heddle" : "envoy";
  const capabilities = node.metadata?.["HEDDLE_CAPABILITIES"];
  if (!Array.isArray(capabilities)) return { instanceId: proxyId, dialect };
  return { instanceId: proxyId, dialect, capabilities: capabilities.filter((entry) => typeof entry === "string") };
}
