import type { BoundCluster, BoundEndpoint, TcpCheckConfig } from "@heddle/engine";
import type { ClientTlsContext, StreamSocket, SocketFailure, SocketHandler } from "@heddle/net";
import type { Dialing, DialOptions, DialOwner } from "../dial.ts";
import type { UpstreamTimers } from "../timers.ts";
import { PayloadMatcher } from "./payload-matcher.ts";
import type { Prober, ProbeOutcome } from "./prober.ts";

export interface TcpProberOptions {
  readonly config: TcpCheckConfig;
  readonly cluster: BoundCluster;
  readonly endpoint: BoundEndpoint;
  /** Or why TLS is impossible now. */
  readonly tls: () => { readonly context: ClientTlsContext | undefined } | { readonly reason: string };
  readonly reuseConnection: boolean;
  readonly timers: UpstreamTimers;
  readonly wallMs: () => number;
  readonly dial: (options: DialOptions) => Dialing;
}

/** `tcp_health_check`: the endpoint takes a connection and, where that is configured, says what is expected. */
export class TcpProber implements Prober, DialOwner, SocketHandler {
  readonly #options: TcpProberOptions;
  #done: ((outcome: ProbeOutcome) => void) | undefined;
  #dial: Dialing | undefined;
  #socket: StreamSocket | undefined;
  #matcher = new PayloadMatcher([]);

  constructor(options: TcpProberOptions) {
    this.#options = options;
  }

  probe(done: (outcome: ProbeOutcome) => void): void {
    this.#done = done;
    if (this.#socket !== undefined) return this.#ask(this.#socket);
    const { cluster, endpoint, timers, wallMs, dial } = this.#options;
    const tls = this.#options.tls();
    if ("reason" in tls) return this.#tell({ kind: "network", reason: `TLS error: ${tls.reason}` });
    const isTunnelled = endpoint.tunnel !== undefined;
    this.#dial = dial({ cluster, endpoint, tls: tls.context, isTunnelled, timers, wallMs, owner: this });
  }

  cancel(): void {
    this.#done = undefined;
    this.close();
  }

  close(): void {
    this.#done = undefined;
    this.#dial?.close();
    this.#socket?.destroy();
    this.#dial = undefined;
    this.#socket = undefined;
  }

  onDialed(dial: Dialing, socket: StreamSocket): void {
    if (dial !== this.#dial) return socket.destroy();
    this.#dial = undefined;
    this.#socket = socket;
    socket.start(this);
    this.#ask(socket);
  }

  onDialFailed(dial: Dialing, failure: SocketFailure): void {
    if (dial !== this.#dial) return;
    this.#dial = undefined;
    this.#tell({ kind: "network", reason: failure.text });
  }

  onReady(): void {}
  onDrain(): void {}

  onBytes(bytes: Buffer, start: number, end: number): number {
    if (this.#done !== undefined && this.#matcher.push(bytes, start, end)) this.#succeed();
    return end - start;
  }

  onEnd(): void {
    this.#socket?.destroy();
  }

  onClose(failure: SocketFailure | undefined): void {
    // One that was given up may close while the next probe has its own.
    if (this.#socket?.isOpen === true) return;
    this.#socket = undefined;
    this.#tell({ kind: "network", reason: failure?.text ?? "the endpoint closed the connection" });
  }

  #ask(socket: StreamSocket): void {
    const { send, receive } = this.#options.config;
    this.#matcher = new PayloadMatcher(receive);
    if (send !== undefined) {
      socket.write(Buffer.from(send), 0, send.length);
      socket.flush();
    }
    if (this.#matcher.isComplete) this.#succeed();
  }

  /** A connection on which nothing is expected proves something only when it is made. */
  #succeed(): void {
    const { reuseConnection, config } = this.#options;
    const isDone = !reuseConnection || config.receive.length === 0;
    const socket = this.#socket;
    if (isDone) this.#socket = undefined;
    this.#tell({ kind: "healthy" });
    if (isDone) socket?.destroy();
  }

  #tell(outcome: ProbeOutcome): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(outcome);
  }
}
