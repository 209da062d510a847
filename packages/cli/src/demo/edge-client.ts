import { Agent, request } from "node:http";
import type { ClientRequest } from "node:http";

export interface RequestOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** How one request ended, as its client saw it. Times are monotonic milliseconds. */
export interface Outcome {
  readonly method: string;
  readonly path: string;
  readonly startedMs: number;
  readonly endedMs: number;
  /** 0: there was no response. */
  readonly status: number;
  readonly body: string;
  /** Why there is no whole response; empty when there is. */
  readonly error: string;
}

const closedMessage = "this client was closed";
const timeoutMs = 15_000;

/** Talks to the edge from outside, as any program would: plain HTTP, kept-alive connections, no retries. */
export class EdgeClient {
  readonly #address: string;
  readonly #open = new Set<ClientRequest>();
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 128 });
  #isClosed = false;

  /** @param address host:port */
  constructor(address: string) {
    this.#address = address;
  }

  /** Never rejects: what went wrong is in the outcome. */
  send(path: string, options: RequestOptions = {}, signal?: AbortSignal): Promise<Outcome> {
    const { method = "GET", headers = {}, body } = options;
    const startedMs = performance.now();
    return new Promise((resolve) => {
      const end = (status: number, text: string, error: string): void =>
        resolve({ method, path, startedMs, endedMs: performance.now(), status, body: text, error });
      if (this.#isClosed) {
        end(0, "", closedMessage);
        return;
      }
      const outgoing = request(`http://${this.#address}${path}`, {
        method,
        headers,
        agent: this.#agent,
        timeout: timeoutMs,
        ...(signal === undefined ? {} : { signal }),
      });
      this.#open.add(outgoing);
      outgoing.on("close", () => this.#open.delete(outgoing));
      outgoing.on("response", (response) => {
        const status = response.statusCode ?? 0;
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => end(status, Buffer.concat(chunks).toString("utf8"), ""));
        response.on("error", (error) => end(status, Buffer.concat(chunks).toString("utf8"), error.message));
      });
      outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
      outgoing.on("error", (error) => end(0, "", error.message));
      outgoing.end(body);
    });
  }

  /** Ends every request, also those that are still to come: whoever sends them need not know. */
  close(): void {
    this.#isClosed = true;
    for (const outgoing of this.#open) outgoing.destroy(new Error(closedMessage));
    this.#agent.destroy();
  }
}

/** Anything but a whole 200: every load asks for what exists and what is allowed, so a 403 or 404 is the mesh's doing. */
export function hasFailed({ status, error }: Outcome): boolean {
  return status !== 200 || error !== "";
}

/** A response that had begun when its sender died: nobody can save that one. */
export function hadBegun({ status, error }: Outcome): boolean {
  return status > 0 && status < 500 && error !== "";
}

export function describeOutcome({ method, path, status, body, error }: Outcome): string {
  return `${method} ${path}: ${status === 0 ? error : `${status} ${body.trim().slice(0, 120)}`}`;
}
