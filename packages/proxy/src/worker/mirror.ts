import type { TimerHandle, TimerTarget } from "@heddle/core";
import {
  Action,
  type BoundMirror,
  chooseEndpoint,
  finishRequest,
  prepareMirror,
  RequestRecord,
  upstreamScheme,
} from "@heddle/engine";
import type { Framing, HeaderList } from "@heddle/http";
import type { ExchangeSink, UpstreamExchange } from "@heddle/upstream";
import type { MirrorSource, RequestMirror, WorkerContext } from "./context.ts";

/** Copies in progress at once on one worker: a slow mirror must not cost the service what it mirrors. */
export const maxActive = 1_000;
/** For routes without a timeout: a mirror that never answers would hold its place for ever. */
const longestMs = 60_000;

/** Sends copies of requests to mirrors and throws the responses away. Nothing about a copy ever reaches the original. */
export class Mirrors implements RequestMirror {
  readonly #action = new Action();
  #active = 0;

  /** Copies a request that has arrived whole. */
  send(worker: WorkerContext, source: MirrorSource, trailers: HeaderList | undefined): void {
    const { body } = source;
    for (const mirror of source.mirrors) {
      const canCopy = this.#active < maxActive && (body.receivedBytes === 0 || body.isReplayable);
      if (canCopy && this.#sendTo(worker, source, mirror, trailers)) worker.metrics.mirrored.add(1);
      else worker.metrics.mirrorsSkipped.add(1);
    }
  }

  #sendTo(worker: WorkerContext, source: MirrorSource, mirror: BoundMirror, trailers: HeaderList | undefined): boolean {
    const req = new RequestRecord();
    const headers = (source.req.headers as HeaderList).clone();
    if (!prepareMirror(source.req, mirror, headers, req)) return false;
    chooseEndpoint(worker.live, req, worker.timers.now(), worker.random, this.#action);
    const { endpoint } = this.#action;
    if (this.#action.kind !== "connect" || endpoint === undefined || req.cluster === undefined) {
      finishRequest(worker.live, req, { status: 0, code: this.#action.code });
      return false;
    }
    this.#active += 1;
    const copy = new MirrorExchange(worker, req, source.announcement, () => {
      this.#active -= 1;
    });
    const upstream = worker.transport.open(endpoint, req.cluster, copy, source.req.connection, req.serverName);
    if (!copy.begin(upstream)) return true;
    upstream.sendHead(req.method, req.path, req.authority, headers, framingOf(source, trailers), upstreamScheme(req));
    for (const chunk of source.body.keptBytes()) if (copy.isOpen) upstream.sendData(chunk, 0, chunk.length);
    if (copy.isOpen && trailers !== undefined) upstream.sendTrailers(trailers);
    if (copy.isOpen) upstream.end();
    return true;
  }
}

/** The body is whole, so its length is known; only trailers need chunks. */
function framingOf({ head, body }: MirrorSource, trailers: HeaderList | undefined): Framing {
  if (head?.bodyKind === "none") return { kind: "none" };
  return trailers === undefined ? { kind: "length", bytes: body.receivedBytes } : { kind: "chunked" };
}

/** One copy on its way: it only waits for its end. */
class MirrorExchange implements ExchangeSink, TimerTarget {
  isOpen = true;
  readonly announcement: string | undefined;
  #status = 0;
  #upstream: UpstreamExchange | undefined;
  readonly #worker: WorkerContext;
  readonly #req: RequestRecord;
  readonly #timer: TimerHandle;
  readonly #onDone: () => void;

  constructor(worker: WorkerContext, req: RequestRecord, announcement: string | undefined, onDone: () => void) {
    this.#worker = worker;
    this.#req = req;
    this.announcement = announcement;
    this.#onDone = onDone;
    this.#timer = worker.timers.schedule(req.timeoutMs > 0 ? req.timeoutMs : longestMs, this);
  }

  /** False: it failed before it began. */
  begin(upstream: UpstreamExchange): boolean {
    this.#upstream = upstream;
    return this.isOpen;
  }

  onConnected(): void {}
  onInformational(): void {}
  onHead(status: number): void {
    this.#status = status;
  }
  onData(): void {}
  onTrailers(): void {}
  onHalfEnd(): void {}
  onDrain(): void {}
  onEnd(): void {
    this.#close();
  }
  onFailure(): void {
    this.#close();
  }

  onTimer(): void {
    const upstream = this.#upstream;
    this.#close();
    upstream?.cancel();
  }

  #close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#upstream = undefined;
    this.#worker.timers.cancel(this.#timer);
    finishRequest(this.#worker.live, this.#req, {
      status: this.#status,
      code: this.#status === 0 ? "upstream_reset" : "",
    });
    this.#onDone();
  }
}
