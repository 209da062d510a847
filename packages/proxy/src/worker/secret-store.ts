import { Secret } from "@heddle/core";
import { secretFromTransfer, type SecretConfig, type SecretRef } from "@heddle/engine";
import type { SecretLookup } from "@heddle/upstream";
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
