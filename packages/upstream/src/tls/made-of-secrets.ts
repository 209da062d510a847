import type { CommonTlsConfig, SecretConfig } from "@heddle/engine";
import type { SecretLookup } from "./peer-policy.ts";

interface Entry<T> {
  /** At which the secrets were looked at last. */
  epoch: number;
  readonly certificate: SecretConfig | undefined;
  readonly anchors: SecretConfig | undefined;
  readonly built: T;
}

/**
 * What is made of a configuration of TLS and its secrets, contexts for example. It holds until a secret that it is made of changes (as in Envoy), or
 * comes, or goes; other secrets do not touch it.
 */
export class MadeOfSecrets<C extends { readonly common: CommonTlsConfig }, T> {
  readonly #secrets: SecretLookup;
  readonly #entries = new WeakMap<C, Entry<T>>();

  constructor(secrets: SecretLookup) {
    this.#secrets = secrets;
  }

  /** undefined: it is to be made. */
  get(config: C): T | undefined {
    const entry = this.#entries.get(config);
    const { epoch } = this.#secrets;
    if (entry === undefined || entry.epoch === epoch) return entry?.built;
    const { certificate, anchors } = this.#secretsOf(config);
    if (entry.certificate !== certificate || entry.anchors !== anchors) return undefined;
    entry.epoch = epoch;
    return entry.built;
  }

  set(config: C, built: T): T {
    this.#entries.set(config, { epoch: this.#secrets.epoch, ...this.#secretsOf(config), built });
    return built;
  }

  #secretsOf({ common: { certificate, validation } }: C): Pick<Entry<T>, "certificate" | "anchors"> {
    const trustedCa = validation?.trustedCa;
    return {
      certificate: certificate && this.#secrets.get(certificate),
      anchors: trustedCa !== undefined && "name" in trustedCa ? this.#secrets.get(trustedCa) : undefined,
    };
  }
}
