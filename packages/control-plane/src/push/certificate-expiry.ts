import type { Clock } from "@heddle/core";

export interface CertificateExpiryOptions {
  readonly clock: Clock;
  /** The certificate with which `key` was let in has expired. */
  readonly onExpired: (key: string, notAfterMs: number) => void;
}

/**
 * Timers stand still while a machine sleeps, and wall-clock time does not; also, a timer takes no more than 24 days. So the
 * clock is looked at this often.
 */
const longestWaitMs = 60_000;

interface Entry {
  readonly notAfterMs: number;
  timer: NodeJS.Timeout;
}

/**
 * Ends what a certificate has opened when the certificate ends: a stream that is judged once, when it is opened, would
 * otherwise outlive its proof for ever.
 */
export class CertificateExpiry {
  readonly #options: CertificateExpiryOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: CertificateExpiryOptions) {
    this.#options = options;
  }

  /**
   * Something was let in under `key`. While more than one thing is, the certificate that ends first counts for all: what has a
   * newer one is let in again at once.
   */
  admit(key: string, notAfterMs: number): void {
    const known = this.#entries.get(key);
    if (known !== undefined && known.notAfterMs <= notAfterMs) return;
    clearTimeout(known?.timer);
    this.#entries.set(key, { notAfterMs, timer: this.#wait(key, notAfterMs) });
  }

  /** Nothing is left under `key`. */
  forget(key: string): void {
    clearTimeout(this.#entries.get(key)?.timer);
    this.#entries.delete(key);
  }

  close(): void {
    for (const key of this.#entries.keys()) this.forget(key);
  }

  #wait(key: string, notAfterMs: number): NodeJS.Timeout {
    // A certificate is valid through its last second (RFC 5280 §4.1.2.5), and so through the millisecond `notAfterMs`.
    const remainingMs = notAfterMs - this.#options.clock.wallMs() + 1;
    const timer = setTimeout(() => this.#look(key), Math.max(0, Math.min(remainingMs, longestWaitMs)));
    timer.unref();
    return timer;
  }

  #look(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    if (this.#options.clock.wallMs() <= entry.notAfterMs) {
      entry.timer = this.#wait(key, entry.notAfterMs);
      return;
    }
    this.#entries.delete(key);
    this.#options.onExpired(key, entry.notAfterMs);
  }
}
