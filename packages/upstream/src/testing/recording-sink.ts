import type { Framing, HeaderList } from "@heddle/http";
import type { ExchangeFailure, ExchangeSink } from "../exchange.ts";

/** Records what an exchange reports, and resolves when it ends. */
export class RecordingSink implements ExchangeSink {
  readonly events: string[] = [];
  status = 0;
  framing: Framing | undefined;
  body = "";
  trailers: HeaderList | undefined;
  failure: ExchangeFailure | undefined;
  terminations = 0;
  drains = 0;
  readonly ended: Promise<void>;
  readonly #onEvent: ((event: string) => void) | undefined;
  #resolve: () => void = () => {};
  readonly #waiting: { readonly event: string; readonly resolve: () => void }[] = [];

  constructor(onEvent?: (event: string) => void) {
    this.#onEvent = onEvent;
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Resolves when the event has been reported. */
  async saw(event: string): Promise<void> {
    if (this.events.includes(event)) return;
    await new Promise<void>((resolve) => this.#waiting.push({ event, resolve }));
  }

  onConnected(): void {
    this.#note("connected");
  }
  onInformational(status: number): void {
    this.#note(`informational ${status}`);
  }
  onHead(status: number, _headers: HeaderList, framing: Framing): void {
    this.status = status;
    this.framing = framing;
    this.#note("head");
  }
  onData(bytes: Buffer, start: number, end: number): void {
    this.body += bytes.toString("latin1", start, end);
    this.#note("data");
  }
  onTrailers(trailers: HeaderList): void {
    this.trailers = trailers;
    this.#note("trailers");
  }
  onHalfEnd(): void {
    this.#note("half-end");
  }
  onDrain(): void {
    this.drains += 1;
    this.#note("drain");
  }
  onEnd(): void {
    this.terminations += 1;
    this.#note("end");
    this.#resolve();
  }
  onFailure(failure: ExchangeFailure): void {
    this.terminations += 1;
    this.failure = failure;
    this.#note("failure");
    this.#resolve();
  }

  #note(event: string): void {
    this.events.push(event);
    for (const entry of this.#waiting.splice(0)) {
      if (entry.event === event) entry.resolve();
      else this.#waiting.push(entry);
    }
    this.#onEvent?.(event);
  }
}
