import { Readable } from "node:stream";
import type { Logger } from "@heddle/core";
import { formatTapEvent, type TapConfig, type TapEndReason } from "@heddle/telemetry";
import type { WorkerPool } from "../generation/worker-pool.ts";
import { SharedTap } from "./shared-tap.ts";

/** Taps that may be open at a time. */
export const maxTaps = 8;

/** Lines that wait, and what was reserved for them. */
interface Piece {
  readonly text: string;
  readonly reserved: number;
}

/** How often a reader is told what was left out. */
const omissionsMs = 1_000;

/** What a tap needs of the workers. */
type TappedWorkers = Pick<WorkerPool, "openTap" | "closeTap">;

/** The taps of a proxy, on the main thread: each is a stream of lines, which workers fill and whoever asked for it reads. */
export class Taps {
  readonly #pool: TappedWorkers;
  readonly #logger: Logger;
  readonly #open = new Set<TapStream>();
  #lastId = 0;
  /** No tap lasts any more. */
  #ended: TapEndReason | undefined;

  constructor(pool: TappedWorkers, logger: Logger) {
    this.#pool = pool;
    this.#logger = logger;
  }

  /** Resolves when every worker watches: what begins from now on is shown. undefined: too many are open. */
  async open(config: TapConfig): Promise<Readable | undefined> {
    if (this.#open.size >= maxTaps) return undefined;
    const id = ++this.#lastId;
    const shared = SharedTap.create();
    const stream = new TapStream(config, shared, () => this.#pool.closeTap(id));
    this.#open.add(stream);
    this.#logger.info("a tap is opened", { tap: id });
    stream.on("close", () => {
      this.#open.delete(stream);
      this.#logger.info("a tap is closed", { tap: id });
    });
    // Asked for while the admin port was still open: its reader is told, too.
    if (this.#ended !== undefined) {
      stream.finish(this.#ended);
      return stream;
    }
    await this.#pool.openTap(
      { id, config, shared: shared.buffer },
      { onLines: (lines) => stream.receive(lines), onWorkerLost: () => stream.finish("worker-lost") },
    );
    stream.begin();
    return stream;
  }

  /** Ends all, in words, and whatever is still opened. */
  end(reason: TapEndReason): void {
    this.#ended = reason;
    for (const stream of this.#open) stream.finish(reason);
  }
}

/**
 * The lines of one tap. They wait here while their reader is slow, and no more of them come than `SharedTap` has room for: a worker that finds
 * none leaves its event out and goes on.
 */
class TapStream extends Readable {
  readonly #config: TapConfig;
  readonly #shared: SharedTap;
  readonly #onFinish: () => void;
  readonly #waiting: Piece[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  #events = 0;
  #toldEvents = 0;
  #toldRequests = 0;
  #isWanted = false;
  #isFinished = false;

  constructor(config: TapConfig, shared: SharedTap, onFinish: () => void) {
    super();
    this.#config = config;
    this.#shared = shared;
    this.#onFinish = onFinish;
  }

  /** Its time begins. */
  begin(): void {
    if (this.#isFinished) return;
    const { maxSeconds } = this.#config;
    this.#timers.push(setInterval(() => this.#tellOmissions(), omissionsMs));
    if (maxSeconds !== undefined) this.#timers.push(setTimeout(() => this.finish("max-seconds"), maxSeconds * 1000));
  }

  receive(lines: readonly string[]): void {
    if (this.#isFinished) return;
    const { maxEvents } = this.#config;
    const wanted = maxEvents === undefined ? lines : lines.slice(0, maxEvents - this.#events);
    this.#events += wanted.length;
    const text = wanted.join("");
    this.#add({ text, reserved: text.length });
    if (this.#events === maxEvents) this.finish("max-events");
  }

  /** Says why, after what waits. */
  finish(reason: TapEndReason): void {
    if (this.#isFinished) return;
    this.#close();
    const { omittedEvents, omittedRequests } = this.#shared;
    this.#add({ text: formatTapEvent({ event: "tap-end", reason, omittedEvents, omittedRequests }), reserved: 0 });
  }

  override _read(): void {
    this.#isWanted = true;
    this.#pushWanted();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#close();
    callback(error);
  }

  #close(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#onFinish();
  }

  /** Only to a reader who keeps up: what waits comes first, and more would make it longer. */
  #tellOmissions(): void {
    const omittedEvents = this.#shared.omittedEvents - this.#toldEvents;
    const omittedRequests = this.#shared.omittedRequests - this.#toldRequests;
    if (this.#waiting.length > 0 || (omittedEvents === 0 && omittedRequests === 0)) return;
    this.#toldEvents += omittedEvents;
    this.#toldRequests += omittedRequests;
    this.#add({ text: formatTapEvent({ event: "omitted", omittedEvents, omittedRequests }), reserved: 0 });
  }

  #add(piece: Piece): void {
    this.#waiting.push(piece);
    this.#pushWanted();
  }

  #pushWanted(): void {
    while (this.#isWanted && this.#waiting.length > 0) {
      const { text, reserved } = this.#waiting.shift()!;
      this.#shared.release(reserved);
      this.#isWanted = this.push(text);
    }
    if (this.#isFinished && this.#waiting.length === 0) this.push(null);
  }
}
