import { EventWaiter } from "@heddle/testkit";
import type { TapEvent } from "@heddle/telemetry";

/** Reads a tap, line by line. */
export class TapReader implements AsyncDisposable {
  readonly events: TapEvent[] = [];
  readonly contentType: string;
  readonly #abort: AbortController;
  readonly #waiter = new EventWaiter();
  readonly #finished: Promise<void>;

  private constructor(response: Response, abort: AbortController) {
    this.contentType = response.headers.get("content-type") ?? "";
    this.#abort = abort;
    this.#finished = this.#read(response.body!);
  }

  /** Resolves when the tap is open: what begins from then on is shown. */
  static async open(adminPort: number, asked: object | string = ""): Promise<TapReader> {
    const abort = new AbortController();
    const body = typeof asked === "string" ? asked : JSON.stringify(asked);
    const response = await fetch(`http://127.0.0.1:${adminPort}/tap`, { method: "POST", body, signal: abort.signal });
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
    return new TapReader(response, abort);
  }

  /** Resolves with the events of this kind when there are so many. */
  async until<K extends TapEvent["event"]>(kind: K, count = 1): Promise<Extract<TapEvent, { event: K }>[]> {
    await this.#waiter.until(`${count} ${kind}`, () => this.of(kind).length >= count);
    return this.of(kind);
  }

  of<K extends TapEvent["event"]>(kind: K): Extract<TapEvent, { event: K }>[] {
    return this.events.filter((event) => event.event === kind) as Extract<TapEvent, { event: K }>[];
  }

  /** Resolves when the tap has ended in order. */
  ended(): Promise<void> {
    return this.#finished;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#finished.catch(() => {});
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of body) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop()!;
      this.events.push(...lines.map((line) => JSON.parse(line) as TapEvent));
      this.#waiter.notify();
    }
    if (rest !== "") throw new Error(`the tap ended within a line: ${rest}`);
  }
}
