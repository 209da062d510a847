import { generateKeyPair } from "node:crypto";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { type Clock, errorEntry, type Logger, type RandomSource } from "@heddle/core";
import type { CaOptions } from "../options/options.ts";
import type { Proof, SignRequest } from "./certificate-authority.ts";
import { createCertificateRequest } from "./certificate-request.ts";
import type { IdentityStore } from "./identity-store.ts";
import { type Identity, readIdentity } from "./identity.ts";

/** Runs `action` once after `delayMs`; the function it returns cancels it. */
export type Schedule = (delayMs: number, action: () => void) => () => void;

export interface IdentityManagerOptions {
  readonly ca: CaOptions;
  /** The SPIFFE URI to ask for. */
  readonly uri: string;
  readonly store: IdentityStore | undefined;
  readonly sign: SignRequest;
  /** PEM of the anchors that the authority must chain to, as they are now. */
  readonly anchorsPem: () => string;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly schedule: Schedule;
  readonly logger: Logger;
  /** A certificate to serve from now on; resolves when every worker does. */
  readonly onIdentity: (identity: Identity) => Promise<void>;
}

/** The renewal moves by up to this part of the certificate's life either way, so that a mesh started at once does not renew at once. */
const jitter = 0.01;
const firstRetryMs = 1_000;
const longestRetryMs = 60_000;
/** Wall-clock time is looked at this often: timers stand still while a laptop sleeps, certificates do not. */
const longestSleepMs = 600_000;

export type RenewalResult = { readonly ok: true } | { readonly ok: false; readonly reason: string };

const newKeyPair = promisify(generateKeyPair);

/**
 * Gets this proxy's certificate and keeps it fresh. Each certificate has a key of its own, made here and never sent. It is
 * renewed at half of its life; while the authority is away the valid one goes on serving.
 */
export class IdentityManager {
  readonly #options: IdentityManagerOptions;
  #current: Identity | undefined;
  #running: Promise<RenewalResult> | undefined;
  #failures = 0;
  #cancelTimer: () => void = () => {};
  #isStopped = false;

  constructor(options: IdentityManagerOptions) {
    this.#options = options;
  }

  get current(): Identity | undefined {
    return this.#current;
  }

  /** Serves what the state directory holds, if it is still valid, and begins to renew. Rejects when the state is a newer version's. */
  async start(): Promise<void> {
    const { store, clock, uri, logger } = this.#options;
    const stored = await store?.read();
    if (stored !== undefined && stored.uri !== uri) {
      logger.warn("the stored certificate is another identity's and is not used", { stored: stored.uri, wanted: uri });
    } else if (stored !== undefined && stored.notAfterMs > clock.wallMs()) {
      await this.#serve(stored);
    }
    this.#plan();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer();
  }

  /** Gets a new certificate now. Calls that overlap share one request. */
  renew(): Promise<RenewalResult> {
    this.#running ??= this.#renew().finally(() => {
      this.#running = undefined;
      this.#plan();
    });
    return this.#running;
  }

  async #renew(): Promise<RenewalResult> {
    const { clock, logger } = this.#options;
    try {
      const identity = await this.#request();
      if (this.#isStopped) return { ok: false, reason: "the proxy is stopping" };
      await this.#options.store?.write(identity);
      await this.#serve(identity);
      this.#failures = 0;
      logger.info("certificate renewed", {
        uri: identity.uri,
        serial: identity.serialNumber,
        notAfter: new Date(identity.notAfterMs).toISOString(),
      });
      return { ok: true };
    } catch (error) {
      this.#failures += 1;
      const reason = (error as Error).message;
      const current = this.#current;
      if (current === undefined) logger.error(errorEntry("identity_missing").text, { reason });
      else if (current.notAfterMs <= clock.wallMs()) logger.error(errorEntry("identity_expired").text, { reason });
      else
        logger.warn("the certificate could not be renewed; the current one goes on", {
          reason,
          notAfter: new Date(current.notAfterMs).toISOString(),
        });
      return { ok: false, reason };
    }
  }

  async #request(): Promise<Identity> {
    const { sign, uri, anchorsPem } = this.#options;
    const { privateKey } = await newKeyPair("ec", { namedCurve: "P-256" });
    const proof = await this.#proof();
    const chain = await sign(createCertificateRequest(privateKey, uri), proof, anchorsPem());
    // The root comes last and is not sent in handshakes: peers have their own.
    const chainPem = chain.length > 1 ? chain.slice(0, -1).join("") : chain.join("");
    const read = readIdentity(chainPem, privateKey.export({ type: "pkcs8", format: "pem" }));
    if (read.identity === undefined) throw new Error(`the authority answered with something unusable: ${read.problem}`);
    if (read.identity.uri !== uri)
      throw new Error(`the authority answered with a certificate for ${read.identity.uri} instead of ${uri}`);
    return read.identity;
  }

  async #proof(): Promise<Proof> {
    const { ca, clock } = this.#options;
    if (this.#current !== undefined && this.#current.notAfterMs > clock.wallMs()) {
      return { kind: "certificate", identity: this.#current };
    }
    if (ca.tokenFile === undefined)
      throw new Error("there is no valid certificate and no --ca-token-file to get the first one with");
    const token = (await readFile(ca.tokenFile, "utf8")).trim();
    return { kind: "token", token };
  }

  async #serve(identity: Identity): Promise<void> {
    this.#current = identity;
    await this.#options.onIdentity(identity);
  }

  #plan(): void {
    if (this.#isStopped || this.#running !== undefined) return;
    this.#cancelTimer();
    const dueInMs = this.#dueInMs();
    const sleepMs = Math.min(dueInMs, longestSleepMs);
    this.#cancelTimer = this.#options.schedule(sleepMs, () => {
      if (sleepMs < dueInMs) this.#plan();
      else void this.renew();
    });
  }

  #dueInMs(): number {
    const { clock, random } = this.#options;
    if (this.#failures > 0) {
      const delayMs = Math.min(firstRetryMs * 2 ** (this.#failures - 1), longestRetryMs);
      return delayMs * (0.5 + random() / 2);
    }
    const current = this.#current;
    if (current === undefined) return 0;
    const lifeMs = current.notAfterMs - current.notBeforeMs;
    this.#spread ??= { identity: current, part: 0.5 + (random() * 2 - 1) * jitter };
    if (this.#spread.identity !== current)
      this.#spread = { identity: current, part: 0.5 + (random() * 2 - 1) * jitter };
    return Math.max(0, current.notBeforeMs + lifeMs * this.#spread.part - clock.wallMs());
  }

  /** The drawn moment of renewal: drawn once a certificate, or repeated planning would always find an early one. */
  #spread: { identity: Identity; part: number } | undefined;
}
