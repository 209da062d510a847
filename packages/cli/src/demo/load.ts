import type { EdgeClient, Outcome, RequestOptions } from "./edge-client.ts";

export interface LoadRequest extends RequestOptions {
  readonly path: string;
}

const tickMs = 10;
/** Who has not answered this long after the last request will not. */
const answerLimitMs = 5000;
/** A mesh that does not answer must not make the client grow without end. */
const maxInFlight = 300;

/** Requests at a steady rate, whether or not the ones before were answered. */
export class Load {
  readonly #client: EdgeClient;
  readonly #next: () => LoadRequest;
  readonly #outcomes: Outcome[] = [];
  readonly #inFlight = new Set<Promise<Outcome>>();
  readonly #abandoned = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #startedMs = performance.now();
  readonly #perMs: number;
  #sent = 0;
  #skipped = 0;

  constructor(
    client: EdgeClient,
    requestsPerSecond: number,
    next: () => LoadRequest,
    onOutcome?: (outcome: Outcome) => void,
  ) {
    this.#client = client;
    this.#next = next;
    this.#perMs = requestsPerSecond / 1000;
    this.#timer = setInterval(() => this.#tick(onOutcome ?? ((outcome) => this.#outcomes.push(outcome))), tickMs);
  }

  /** What has been answered until now. */
  get soFar(): readonly Outcome[] {
    return this.#outcomes;
  }

  /** Sends nothing more; resolves with every outcome when the last answer is there, or has been waited for in vain. */
  async stop(): Promise<Outcome[]> {
    clearInterval(this.#timer);
    const giveUp = setTimeout(() => this.#abandoned.abort(), answerLimitMs);
    await Promise.all(this.#inFlight);
    clearTimeout(giveUp);
    return this.#outcomes;
  }

  #tick(onOutcome: (outcome: Outcome) => void): void {
    const due = Math.floor((performance.now() - this.#startedMs) * this.#perMs) - this.#skipped;
    for (; this.#sent < due; this.#sent += 1) {
      if (this.#inFlight.size >= maxInFlight) {
        // Not made up for later: a burst is not what is wanted.
        this.#skipped += due - this.#sent;
        return;
      }
      const { path, ...options } = this.#next();
      const exchange = this.#client.send(path, options, this.#abandoned.signal);
      this.#inFlight.add(exchange);
      void exchange.then((outcome) => {
        this.#inFlight.delete(exchange);
        onOutcome(outcome);
        return outcome;
      });
    }
  }
}

/** `count` requests, `concurrency` at a time. */
export async function sendMany(
  client: EdgeClient,
  count: number,
  concurrency: number,
  next: () => LoadRequest,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let left = count;
  const work = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const { path, ...options } = next();
      outcomes.push(await client.send(path, options));
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return outcomes;
}
