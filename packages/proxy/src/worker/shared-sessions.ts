import { createHash, hkdfSync, randomBytes } from "node:crypto";
import { Secret } from "@heddle/core";
import { SharedIntermediates } from "@heddle/net";

/** What the workers of one process need for resuming each other's TLS sessions, as it is given to each. */
export interface SessionSetup {
  /** Random, in the clear between threads and nowhere else. */
  readonly ticketSecret: Uint8Array;
  /** See `SharedIntermediates`. */
  readonly intermediates: SharedArrayBuffer;
}

/** Of this process alone: after a hot restart sessions begin anew. */
export function createSessionSetup(workers: number): SessionSetup {
  return { ticketSecret: randomBytes(32), intermediates: SharedIntermediates.createBuffer(workers) };
}

/** One worker's view of them. */
export class SharedSessions {
  readonly intermediates: SharedIntermediates;
  readonly #ticketSecret: Secret<Uint8Array>;

  constructor({ ticketSecret, intermediates }: SessionSetup, worker: number) {
    this.#ticketSecret = new Secret(ticketSecret);
    this.intermediates = new SharedIntermediates(intermediates, worker);
  }

  /**
   * Keys for the tickets of one context, the same at each worker and others for whatever else the context is made of. Envoy's workers have one context in
   * common, and so its keys.
   *
   * @param material the configuration and its secrets; private keys print as nothing, and need not be told apart where certificates are
   */
  ticketKeys(material: readonly unknown[]): Buffer {
    const digest = createHash("sha256").update(JSON.stringify(material)).digest();
    return Buffer.from(hkdfSync("sha256", this.#ticketSecret.reveal(), digest, "heddle session tickets", 48));
  }
}
