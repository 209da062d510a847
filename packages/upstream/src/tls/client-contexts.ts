import type { UpstreamTlsConfig } from "@heddle/engine";
import type { BuiltContext, ClientTlsContext } from "@heddle/net";
import { buildClientContext } from "@heddle/net";
import type { SecretLookup } from "./peer-policy.ts";
import { peerPolicyOf } from "./peer-policy.ts";

interface Entry {
  readonly epoch: number;
  readonly built: BuiltContext<ClientTlsContext>;
}

/**
 * Client contexts by transport configuration: one for each epoch of the secrets, made at the first connection that needs it.
 * A new epoch concerns new connections only.
 */
export class ClientTlsContexts {
  readonly #secrets: SecretLookup;
  readonly #entries = new WeakMap<UpstreamTlsConfig, Entry>();

  constructor(secrets: SecretLookup) {
    this.#secrets = secrets;
  }

  get epoch(): number {
    return this.#secrets.epoch;
  }

  /**
   * The context for a configuration, or why there is none: a secret has not arrived or cannot be used.
   *
   * @param fallbackAlpn what to offer where the configuration names no protocols; always the same for one configuration
   */
  get(config: UpstreamTlsConfig, fallbackAlpn: readonly string[] = []): BuiltContext<ClientTlsContext> {
    const { epoch } = this.#secrets;
    const known = this.#entries.get(config);
    if (known?.epoch === epoch) return known.built;
    const names = config.common.alpn.length > 0 ? config.common.alpn : fallbackAlpn;
    const built = this.#build(config, epoch, names);
    this.#entries.set(config, { epoch, built });
    return built;
  }

  #build(config: UpstreamTlsConfig, epoch: number, alpn: readonly string[]): BuiltContext<ClientTlsContext> {
    const { common, sni } = config;
    const policy = peerPolicyOf(common.validation, "server", this.#secrets);
    if (!policy.ok) return policy;
    const secret = common.certificate === undefined ? undefined : this.#secrets.get(common.certificate);
    if (common.certificate !== undefined && secret?.kind !== "certificate") {
      return { ok: false, reason: `the certificate ${common.certificate.name} has not arrived` };
    }
    return buildClientContext({
      epoch,
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
