import type { DownstreamTlsConfig } from "@heddle/engine";
import { buildServerContext, type BuiltContext, type ServerTlsContext } from "@heddle/net";
import { MadeOfSecrets, peerPolicyOf, type SecretLookup } from "@heddle/upstream";
import type { SharedSessions } from "./shared-sessions.ts";

/** Server contexts by configuration, made at the first handshake, and anew when their secrets have changed: no session outlives what it was made under. */
export class ServerTlsContexts {
  readonly #secrets: SecretLookup;
  readonly #sessions: SharedSessions;
  #made: MadeOfSecrets<DownstreamTlsConfig, BuiltContext<ServerTlsContext>>;
  #generation: number;

  constructor(secrets: SecretLookup, sessions: SharedSessions) {
    this.#secrets = secrets;
    this.#sessions = sessions;
    this.#made = new MadeOfSecrets(secrets);
    this.#generation = sessions.intermediates.generation;
  }

  /** The context, or why a handshake is impossible now. */
  get(config: DownstreamTlsConfig): BuiltContext<ServerTlsContext> {
    const { generation } = this.#sessions.intermediates;
    if (generation !== this.#generation) {
      this.#generation = generation;
      this.#made = new MadeOfSecrets(this.#secrets);
    }
    return this.#made.get(config) ?? this.#made.set(config, this.#build(config, generation));
  }

  #build(config: DownstreamTlsConfig, generation: number): BuiltContext<ServerTlsContext> {
    const { common, requireClientCertificate, requireSni, sessionTickets } = config;
    const { validation } = common;
    const policy = peerPolicyOf(validation, "client", this.#secrets, this.#sessions.intermediates);
    if (!policy.ok) return policy;
    const secret = common.certificate === undefined ? undefined : this.#secrets.get(common.certificate);
    if (secret?.kind !== "certificate") {
      return { ok: false, reason: `the certificate ${common.certificate?.name ?? ""} has not arrived` };
    }
    const trustedCa = validation?.trustedCa;
    const anchors = trustedCa !== undefined && "name" in trustedCa ? this.#secrets.get(trustedCa) : undefined;
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
      ticketKeys: this.#sessions.ticketKeys([generation, config, secret, anchors]),
    });
  }
}
