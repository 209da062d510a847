import type { Server, Socket } from "node:net";
import { connect, createServer } from "node:net";

/** How long a raw peer waits for what must come before it gives up: generous, because it only bounds a test that hangs. */
const patienceMs = 15_000;

/** One end of a TCP connection that speaks in bytes: sends what a well-behaved library would refuse to send, and sees exactly what comes back. */
export class RawPeer implements AsyncDisposable {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #isEnded = false;
  #isClosed = false;
  #error: Error | undefined;
  readonly #wakers = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", (error) => {
      this.#error = error;
      this.#wake();
    });
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    socket.on("end", () => {
      this.#isEnded = true;
      this.#wake();
    });
    socket.on("close", () => {
      this.#isClosed = true;
      this.#wake();
    });
  }

  /** Everything received and not yet taken, as latin1 text. */
  get received(): string {
    return this.#received.toString("latin1");
  }

  /** The other side has closed its half, or the connection is gone. */
  get isEnded(): boolean {
    return this.#isEnded || this.#isClosed;
  }

  /** The error that ended the connection, e.g. a reset. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Sends latin1 text or bytes; resolves when the kernel has them. */
  send(bytes: string | Buffer): Promise<void> {
    return new Promise((resolve) => {
      this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes, () => resolve());
    });
  }

  /** Closes the sending half. */
  end(): void {
    this.socket.end();
  }

  /** Closes with RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** Waits until `text` has come, and takes everything up to and including it. */
  async until(text: string): Promise<string> {
    await this.#waitFor(() => this.received.includes(text), JSON.stringify(text));
    return this.take(this.received.indexOf(text) + text.length);
  }

  /** Waits for so many bytes and takes them. */
  async bytes(count: number): Promise<string> {
    await this.#waitFor(() => this.#received.length >= count, `${count} bytes`);
    return this.take(count);
  }

  /** Waits until the other side has closed, and takes what came before. */
  async untilEnd(): Promise<string> {
    await this.#waitFor(() => this.isEnded, "the end");
    return this.take(this.#received.length);
  }

  /** Takes one HTTP/1.1 response with content-length or chunked body, or the head alone where there is no body. */
  async response(options: { readonly head?: boolean } = {}): Promise<{ head: string; body: string }> {
    const head = await this.until("\r\n\r\n");
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1]);
    if (options.head === true || status < 200 || status === 204 || status === 304) return { head, body: "" };
    const length = /^content-length: *(\d+)/im.exec(head)?.[1];
    if (length !== undefined) return { head, body: await this.bytes(Number(length)) };
    if (/^transfer-encoding: *chunked/im.test(head)) return { head, body: await this.#chunkedBody() };
    return { head, body: await this.untilEnd() };
  }

  take(count: number): string {
    const text = this.#received.toString("latin1", 0, count);
    this.#received = this.#received.subarray(count);
    return text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    if (!this.#isClosed) await new Promise((resolve) => this.socket.once("close", resolve));
  }

  async #chunkedBody(): Promise<string> {
    let body = "";
    for (;;) {
      const size = Number.parseInt(await this.until("\r\n"), 16);
      if (size > 0) {
        body += await this.bytes(size);
        await this.until("\r\n");
        continue;
      }
      while ((await this.until("\r\n")) !== "\r\n");
      return body;
    }
  }

  #wake(): void {
    for (const waker of this.#wakers) waker();
  }

  #waitFor(isDone: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (outcome: Error | undefined): void => {
        clearTimeout(timer);
        this.#wakers.delete(check);
        if (outcome === undefined) resolve();
        else reject(outcome);
      };
      const check = (): void => {
        if (isDone()) finish(undefined);
        else if (this.isEnded)
          finish(
            new Error(
              `connection ended (${this.#error?.message ?? "cleanly"}) before ${what}; got ${JSON.stringify(this.received)}`,
            ),
          );
      };
      const timer = setTimeout(() => finish(new Error(`no ${what}; got ${JSON.stringify(this.received)}`)), patienceMs);
      this.#wakers.add(check);
      check();
    });
  }
}

/** Resolves when nobody listens at a port of 127.0.0.1 any more: connections are refused, not left waiting. Capped by the test's own time-out. */
export async function untilRefused(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const code = await new Promise<string>((resolve) => {
      socket.once("connect", () => resolve(""));
      socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
    });
    socket.destroy();
    if (code === "ECONNREFUSED") return;
  }
}

/** Connects by TCP. */
export function connectRaw(port: number, host = "127.0.0.1"): Promise<RawPeer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host, noDelay: true, allowHalfOpen: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(new RawPeer(socket));
    });
  });
}

/** A TCP server that hands out raw peers: an upstream that misbehaves byte by byte. */
export interface RawServer extends AsyncDisposable {
  readonly port: number;
  readonly connectionsAccepted: number;
  /** The next accepted connection, in order. */
  next(): Promise<RawPeer>;
}

export async function startRawServer(
  options: { readonly host?: string; readonly port?: number } = {},
): Promise<RawServer> {
  const waiting: RawPeer[] = [];
  const takers: ((peer: RawPeer) => void)[] = [];
  const open = new Set<Socket>();
  let accepted = 0;
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    accepted += 1;
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    const peer = new RawPeer(socket);
    const taker = takers.shift();
    if (taker === undefined) waiting.push(peer);
    else taker(peer);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, options.host ?? "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return {
    port: address.port,
    get connectionsAccepted() {
      return accepted;
    },
    next() {
      const peer = waiting.shift();
      return peer === undefined ? new Promise((resolve) => takers.push(resolve)) : Promise.resolve(peer);
    },
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      });
    },
  };
}
