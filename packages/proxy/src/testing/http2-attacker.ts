import { connect, type Socket } from "node:net";
import { EventWaiter } from "@heddle/testkit";
import { FrameReader, frameType, ping, preface, type SeenFrame, settings } from "./http2-frames.ts";

const keptDataBytes = 64 * 1024;

/** One end of an HTTP/2 connection that keeps no rule: it sends frames as they are given and notes what comes back. */
export class Http2Attacker implements AsyncDisposable {
  readonly socket: Socket;
  readonly frames: SeenFrame[] = [];
  /** DATA octets that came. */
  dataBytes = 0;
  /** Error code of the GOAWAY, and its debug data. */
  goAway: { readonly errorCode: number; readonly debugData: string } | undefined;
  isClosed = false;
  readonly #ended = new Set<number>();
  readonly #reader = new FrameReader();
  readonly #idle = new Set<() => void>();
  readonly #changes = new EventWaiter();

  private constructor(socket: Socket, frames: (bytes: Buffer) => Buffer) {
    this.socket = socket;
    // A reset is one way in which an attack may end.
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.isClosed = true;
      this.#notify();
    });
    socket.on("data", (bytes: Buffer) => {
      for (const seen of this.#reader.read(frames(bytes))) this.#note(seen);
      this.#notify();
    });
  }

  /** Connects to a port of loopback as a client and says the preface. `first`: the frame behind it, SETTINGS in any case. */
  static async connect(port: number, first: Buffer = settings()): Promise<Http2Attacker> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    const attacker = new Http2Attacker(socket, (bytes) => bytes);
    await attacker.send(preface, first);
    return attacker;
  }

  /** Connects, attacks, and leaves nothing open. */
  static async attack<T>(port: number, run: (attacker: Http2Attacker) => Promise<T>, first?: Buffer): Promise<T> {
    const attacker = await Http2Attacker.connect(port, first);
    try {
      return await run(attacker);
    } finally {
      await attacker[Symbol.asyncDispose]();
    }
  }

  /** Around a connection that came. @param frames what of each piece is frames */
  static accepted(socket: Socket, frames: (bytes: Buffer) => Buffer): Http2Attacker {
    return new Http2Attacker(socket, frames);
  }

  get isCutOff(): boolean {
    return this.isClosed || this.goAway !== undefined;
  }

  /** Sends, and resolves when the kernel has taken it, or never will. */
  send(...bytes: readonly Buffer[]): Promise<void> {
    return new Promise((resolve) => {
      if (this.isClosed) return resolve();
      const done = (): void => {
        this.socket.off("close", done);
        resolve();
      };
      this.socket.on("close", done);
      this.socket.write(Buffer.concat(bytes), done);
    });
  }

  /** Sends step after step, `batch` at once, until the other side ends the connection. @returns steps sent, at most `limit` */
  async flood(step: (index: number) => Buffer, limit: number, batch = 100): Promise<number> {
    let sent = 0;
    while (sent < limit && !this.isCutOff) {
      const steps = Array.from({ length: Math.min(batch, limit - sent) }, (_, at) => step(sent + at));
      sent += steps.length;
      await this.send(...steps);
      // The answer is let in.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return sent;
  }

  /** Whether everything sent so far was borne: a PING behind it is answered. */
  async isBorne(): Promise<boolean> {
    const answers = this.#pongs();
    await this.send(ping);
    await this.until("an answer to PING, or the end", () => this.isCutOff || this.#pongs() > answers);
    return !this.isCutOff;
  }

  async cutOff(): Promise<void> {
    await this.until("GOAWAY with an error, or the end", () => this.isCutOff);
  }

  async closed(): Promise<void> {
    this.socket.resume();
    await this.until("the end of the connection", () => this.isClosed);
  }

  /** Frames of one type on one stream. */
  on(streamId: number, type: number): SeenFrame[] {
    return this.frames.filter((seen) => seen.streamId === streamId && seen.type === type);
  }

  /** What came of a stream's body. */
  body(streamId: number): Buffer {
    return Buffer.concat(this.on(streamId, frameType.data).map(({ payload }) => payload));
  }

  /** Whether the other side has ended its half of a stream, or reset it. */
  hasEnded(streamId: number): boolean {
    return this.#ended.has(streamId);
  }

  /** Waits without a limit: for a peer that serves as long as its connection is there. */
  async whenever(isDone: () => boolean): Promise<void> {
    while (!isDone()) await new Promise<void>((resolve) => this.#idle.add(resolve));
  }

  until(what: string, isDone: () => boolean): Promise<void> {
    return this.#changes.until(what, isDone);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.until("the end of the connection", () => this.isClosed);
  }

  #notify(): void {
    this.#changes.notify();
    for (const resolve of this.#idle) resolve();
    this.#idle.clear();
  }

  #pongs(): number {
    return this.frames.filter(({ type, flags }) => type === frameType.ping && flags === 1).length;
  }

  #note(seen: SeenFrame): void {
    const mayEnd = seen.type === frameType.data || seen.type === frameType.headers;
    if (seen.type === frameType.rstStream || (mayEnd && (seen.flags & 1) === 1)) this.#ended.add(seen.streamId);
    if (seen.type === frameType.data) this.dataBytes += seen.payload.length;
    if (seen.type === frameType.goAway && seen.payload.readUInt32BE(4) !== 0) {
      this.goAway = { errorCode: seen.payload.readUInt32BE(4), debugData: seen.payload.toString("latin1", 8) };
    }
    // Of large bodies the beginning is enough.
    const isLarge = seen.type === frameType.data && this.dataBytes > keptDataBytes;
    this.frames.push(isLarge ? { ...seen, payload: Buffer.alloc(0) } : seen);
  }
}
