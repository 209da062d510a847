import { parseIp, type RequestServerName, type UpstreamTlsConfig } from "@heddle/engine";
import type { BuiltContext, ClientTlsContext } from "@heddle/net";
import { buildClientContext, contextForServer, exactDnsName, exactIpAddress } from "@heddle/net";
import { MadeOfSecrets } from "./made-of-secrets.ts";
import type { BuiltPolicy, SecretLookup } from "./peer-policy.ts";
import { peerPolicyOf } from "./peer-policy.ts";

/** Names that requests gave one configuration; the one that was used least recently goes first. Whoever asks chooses them. */
const maxServerNames = 1024;

/**
 * Client contexts by transport configuration: made at the first connection that needs one, and anew when its secrets have changed, which concerns
 * new connections only.
 */
export class ClientTlsContexts {
  readonly #secrets: SecretLookup;
  readonly #made: MadeOfSecrets<UpstreamTlsConfig, BuiltContext<ClientTlsContext>>;
  readonly #policies: MadeOfSecrets<UpstreamTlsConfig, BuiltPolicy>;
  readonly #named = new WeakMap<ClientTlsContext, Map<string, ClientTlsContext>>();

  constructor(secrets: SecretLookup) {
    this.#secrets = secrets;
    this.#made = new MadeOfSecrets(secrets);
    this.#policies = new MadeOfSecrets(secrets);
  }

  /**
   * The context for a configuration, or why there is none: a secret has not arrived or cannot be used.
   *
   * @param fallbackAlpn what to offer where the configuration names no protocols; always the same for one configuration
   */
  get(config: UpstreamTlsConfig, fallbackAlpn: readonly string[] = []): BuiltContext<ClientTlsContext> {
    const known = this.#made.get(config);
    if (known !== undefined) return known;
    const names = config.common.alpn.length > 0 ? config.common.alpn : fallbackAlpn;
    return this.#made.set(config, this.#build(config, names));
  }

  /** What a server has to be now; the same object as long as nothing of it has changed. */
  policy(config: UpstreamTlsConfig): BuiltPolicy {
    return (
      this.#policies.get(config) ??
      this.#policies.set(config, peerPolicyOf(config.common.validation, "server", this.#secrets))
    );
  }

  /** The context for requests to one of the hosts that a cluster's connections are for. */
  named(base: ClientTlsContext, host: string, { isSent, isDemanded }: RequestServerName): ClientTlsContext {
    let contexts = this.#named.get(base);
    if (contexts === undefined) this.#named.set(base, (contexts = new Map()));
    let context = contexts.get(host);
    if (context === undefined) {
      const isAddress = parseIp(host) !== undefined;
      const sni = isSent && host !== "" && !isAddress ? host : base.sni;
      const name = isAddress ? exactIpAddress(host) : exactDnsName(host);
      context = contextForServer(base, sni, isDemanded ? name : undefined);
    }
    contexts.delete(host);
    contexts.set(host, context);
    const [oldest] = contexts.keys();
    if (contexts.size > maxServerNames && oldest !== undefined) contexts.delete(oldest);
    return context;
  }

  #build(config: UpstreamTlsConfig, alpn: readonly string[]): BuiltContext<ClientTlsContext> {
    const { common, sni } = config;
    const policy = peerPolicyOf(common.validation, "server", this.#secrets);
    if (!policy.ok) return policy;
    const secret = common.certificate === undefined ? undefined : this.#secrets.get(common.certificate);
    if (common.certificate !== undefined && secret?.kind !== "certificate") {
      return { ok: false, reason: `the certificate ${common.certificate.name} has not arrived` };
    }
    return buildClientContext({
      epoch: this.#secrets.epoch,
      certificate:
        secret?.kind === "certificate"
          ? { chainPem: secret.certificateChainPem, privateKeyPem: secret.privateKey }
          : undefined,
      minVersion: common.minVersion,
      maxVersion: common.maxVersion,
      cipherSuites: common.cipherSuites,
      groups: common.groups,
      alpn,
      policy: policy.policy,
      sni,
      maxSessionKeys: config.maxSessionKeys,
    });
  }
}
