import { RequestRecord } from "@heddle/engine";
import { type Framing, HeaderList } from "@heddle/http";
import type { ExchangeFailure, ExchangeSink, UpstreamExchange } from "../exchange.ts";
import type { ProbeOutcome } from "./prober.ts";

/** What the headers of a check are made for: their values hold no operators (the loader refuses them), so nothing is asked of it. */
export const noRequest = new RequestRecord();

/** One request of a check and what comes back, judged when it is whole. */
export abstract class ExchangeProbe implements ExchangeSink {
  protected status = 0;
  protected headers: HeaderList = new HeaderList();
  protected trailers: HeaderList | undefined;
  readonly #done: (outcome: ProbeOutcome) => void;
  #exchange: UpstreamExchange | undefined;
  #isOver = false;

  constructor(done: (outcome: ProbeOutcome) => void) {
    this.#done = done;
  }

  /** Sends the request. `open` may fail at once, in which case the outcome has been told. */
  start(open: (sink: ExchangeSink) => UpstreamExchange, send: (exchange: UpstreamExchange) => void): void {
    const exchange = open(this);
    if (this.#isOver) return;
    this.#exchange = exchange;
    send(exchange);
  }

  cancel(): void {
    this.#isOver = true;
    this.#exchange?.cancel();
  }

  protected abstract judge(): ProbeOutcome;

  abstract onData(bytes: Buffer, start: number, end: number): void;

  onConnected(): void {}
  onHalfEnd(): void {}
  onInformational(): void {}
  onDrain(): void {}

  onHead(status: number, headers: HeaderList, _framing: Framing): void {
    this.status = status;
    this.headers = headers;
  }

  onTrailers(trailers: HeaderList): void {
    this.trailers = trailers;
  }

  onEnd(): void {
    this.#tell(this.judge());
  }

  onFailure(failure: ExchangeFailure): void {
    this.#tell({ kind: "network", reason: failure.transportFailure === "" ? failure.code : failure.transportFailure });
  }

  #tell(outcome: ProbeOutcome): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#done(outcome);
  }
}
