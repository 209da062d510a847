import { Secret } from "@heddle/core";
import { type DownstreamTlsConfig, secretFromTransfer, type SecretConfig, type SecretRef } from "@heddle/engine";
import { buildServerContext, type BuiltContext, type ServerTlsContext } from "@heddle/net";
import { MadeContexts, peerPolicyOf, type SecretLookup } from "@heddle/upstream";
import type { WorkerCommand } from "./messages.ts";

type SecretsDelta = Extract<WorkerCommand, { type: "configure" }>["secrets"];

/** Certificates and trust anchors of this worker. Every change is a new epoch, and each secret the same object until it changes. */
export class SecretStore implements SecretLookup {
  #epoch = 0;
  readonly #secrets = new Map<string, SecretConfig>();

  get epoch(): number {
    return this.#epoch;
  }

  get(ref: SecretRef): SecretConfig | undefined {
    return this.#secrets.get(`${ref.source}/${ref.name}`);
  }

  apply(delta: SecretsDelta): void {
    if (delta.set.length + delta.remove.length === 0) return;
    for (const { source, secret } of delta.set) {
      this.#secrets.set(
        `${source}/${secret.name}`,
        secretFromTransfer(secret, (pem) => new Secret(pem)),
      );
    }
    for (const { source, name } of delta.remove) this.#secrets.delete(`${source}/${name}`);
    this.#epoch += 1;
  }
}

/** Server contexts by configuration, made at the first handshake, and anew when their secrets have changed: no session outlives what it was made under. */
export class ServerTlsContexts {
  readonly #secrets: SecretLookup;
  readonly #made: MadeContexts<DownstreamTlsConfig, ServerTlsContext>;

  constructor(secrets: SecretLookup) {
    this.#secrets = secrets;
    this.#made = new MadeContexts(secrets);
  }

  /** The context, or why a handshake is impossible now. */
  get(config: DownstreamTlsConfig): BuiltContext<ServerTlsContext> {
    return this.#made.get(config) ?? this.#made.set(config, this.#build(config));
  }

  #build(config: DownstreamTlsConfig): BuiltContext<ServerTlsContext> {
    const { common, requireClientCertificate, requireSni, sessionTickets } = config;
    const policy = peerPolicyOf(common.validation, "client", this.#secrets);
    if (!policy.ok) return policy;
    const secret = common.certificate === undefined ? undefined : this.#secrets.get(common.certificate);
    if (secret?.kind !== "certificate") {
      return { ok: false, reason: `the certificate ${common.certificate?.name ?? ""} has not arrived` };
    }
    return buildServerContext({
      epoch: this.#secrets.epoch,
      certificate: { chainPem: secret.certificateChainPem, privateKeyPem: secret.privateKey },
      minVersion: common.minVersion,
      maxVersion: common.maxVersion,
      cipherSuites: common.cipherSuites,
      groups: common.groups,
      alpn: common.alpn,
      policy: policy.policy,
      requirePeerCertificate: requireClientCertificate,
      requireSni,
      sessionTickets,
    });
  }
}
