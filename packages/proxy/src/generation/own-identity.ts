import { readFile } from "node:fs/promises";
import type { JsonObject } from "@bufbuild/protobuf";
import type { Clock, Logger } from "@heddle/core";
import { certificateAuthority } from "../identity/certificate-authority.ts";
import { IdentityManager } from "../identity/identity-manager.ts";
import { IdentityStore } from "../identity/identity-store.ts";
import type { Identity } from "../identity/identity.ts";
import type { CaOptions } from "../options/options.ts";
import type { Configuration } from "./configuration.ts";
import { readNodeIdentity } from "./node-identity.ts";
import { StartFailure } from "./start-failure.ts";

/** Names under which Istio's agent, and so this proxy, gives out its certificate and trust bundle (`sds-grpc`). */
const certificateName = "default";
const bundleName = "ROOTCA";

export interface OwnIdentityOptions {
  readonly ca: CaOptions;
  readonly stateDir: string | undefined;
  readonly nodeMetadata: JsonObject;
  readonly configuration: Configuration;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Every worker serves a certificate that was not there before. */
  readonly onCertificate: () => void;
}

/** This proxy's certificate and trust bundle, kept fresh and given to the configuration as local secrets. */
export class OwnIdentity {
  readonly #options: OwnIdentityOptions;
  readonly #bundlePem: string;
  readonly #manager: IdentityManager;

  private constructor(options: OwnIdentityOptions, uri: string, bundlePem: string) {
    const { ca, stateDir, clock, logger } = options;
    this.#options = options;
    this.#bundlePem = bundlePem;
    this.#manager = new IdentityManager({
      ca,
      uri,
      store: stateDir === undefined ? undefined : new IdentityStore(stateDir, clock, logger),
      sign: certificateAuthority(ca),
      anchorsPem: () => this.anchorsPem,
      clock,
      random: Math.random,
      schedule: (delayMs, action) => {
        const timer = setTimeout(action, delayMs);
        return () => clearTimeout(timer);
      },
      logger,
      onIdentity: (identity) => this.#serve(identity),
    });
  }

  /** @throws StartFailure without an identity to ask for or a trust bundle; StateIsNewer */
  static async start(options: OwnIdentityOptions): Promise<OwnIdentity> {
    const { ca, nodeMetadata, configuration } = options;
    const bundlePem = await readBundle(ca.trustBundleFile);
    await configuration.setSecret({
      source: "local",
      secret: {
        kind: "validation",
        name: bundleName,
        validation: {
          trustedCa: { pem: bundlePem },
          matchSubjectAltNames: [],
          crlPem: undefined,
        },
      },
    });
    const uri = ca.identity ?? readNodeIdentity(nodeMetadata);
    if (uri === undefined) {
      throw new StartFailure(
        "no identity to ask for: give --identity, or NAMESPACE and SERVICE_ACCOUNT in the node's metadata",
      );
    }
    const identity = new OwnIdentity(options, uri, bundlePem);
    await identity.#manager.start();
    return identity;
  }

  get hasCertificate(): boolean {
    return this.#manager.current !== undefined;
  }

  /** The anchors that the control plane pushed last, else those of the command line. */
  get anchorsPem(): string {
    for (const { source, secret } of this.#options.configuration.active.secrets) {
      if (source !== "ads" || secret.kind !== "validation" || secret.name !== bundleName) continue;
      const { trustedCa } = secret.validation;
      if (trustedCa !== undefined && "pem" in trustedCa) return trustedCa.pem;
    }
    return this.#bundlePem;
  }

  renew(): ReturnType<IdentityManager["renew"]> {
    return this.#manager.renew();
  }

  stop(): void {
    this.#manager.stop();
  }

  async #serve(identity: Identity): Promise<void> {
    const { chainPem, privateKeyPem } = identity;
    await this.#options.configuration.setSecret({
      source: "local",
      secret: { kind: "certificate", name: certificateName, certificateChainPem: chainPem, privateKey: privateKeyPem },
    });
    this.#options.onCertificate();
  }
}

async function readBundle(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new StartFailure(`the trust bundle cannot be read: ${(error as Error).message}`);
  }
}
