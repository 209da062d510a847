import type { TimerHandle, TimerTarget, TimerWheel } from "@heddle/core";
import { inspectClientHello } from "./client-hello.ts";
import type { SocketHandler } from "./fast-socket.ts";
import { inspectHttp, maxRequestLineBytes } from "./http-preface.ts";
import type { StreamSocket } from "./stream-socket.ts";
import { parseProxyHeader, type ProxyTlv } from "./proxy-protocol.ts";
import type { SocketFailure } from "./socket-failure.ts";

interface Conditional {
  /** Envoy's `filter_disabled`: whether connections that were meant for this port pass it by; undefined: none does. */
  readonly isDisabledOn?: ((port: number) => boolean) | undefined;
}

/** Envoy's `envoy.filters.listener.proxy_protocol`. */
interface ProxyProtocolInspector extends Conditional {
  readonly kind: "proxy_protocol";
  /** A connection that begins otherwise is taken as it is. */
  readonly allowsNone: boolean;
  /** Versions that are not looked for. */
  readonly disallowed: readonly (1 | 2)[];
  /** Whether a TLV of this type is kept. */
  readonly passesTlv: (type: number) => boolean;
}

/** Envoy's listener filters; each sees what the ones before it left. */
export type Inspector =
  | (Conditional & { readonly kind: "tls_inspector" | "http_inspector" | "original_dst" })
  | ProxyProtocolInspector;

/** How it was decided what a connection carries. `opaque`: neither TLS nor HTTP; `ended`: no more bytes will come; `timeout`: not in time. */
export type ProtocolDecision = "tls" | "http/1.0" | "http/1.1" | "h2c" | "opaque" | "ended" | "timeout";

/** What filter chains are chosen by. */
export interface ConnectionInspection {
  readonly transportProtocol: "tls" | "raw_buffer";
  /** Lower-case; empty: none. */
  readonly sni: string;
  /** ALPN of a ClientHello, or `http/1.1`, `http/1.0`, `h2c` of a first line. */
  readonly applicationProtocols: readonly string[];
  /** undefined: nothing was asked, since nobody inspects. With `ended` and `timeout` it must be treated as the most restricted kind. */
  readonly decision: ProtocolDecision | undefined;
  /** TLVs of a PROXY protocol header. */
  readonly proxyTlvs: readonly ProxyTlv[];
}

/** What is counted on the way, by Envoy's names of it. */
export type InspectionStat =
  | `tls_inspector.${"tls_found" | "tls_not_found" | "alpn_found" | "alpn_not_found" | "sni_found" | "sni_not_found" | "client_hello_too_large"}`
  | `http_inspector.${"http10_found" | "http11_found" | "http2_found" | "http_not_found"}`
  | `proxy_proto.${"not_found_allowed" | "not_found_disallowed"}`
  | `proxy_proto.versions.v${1 | 2}.${"found" | "disallowed" | "error"}`;

/** A timer wheel, or what stands before one. */
export type InspectionTimers = Pick<TimerWheel, "schedule" | "cancel">;

export interface InspectionHandler {
  /** Everything read and not a header of the PROXY protocol is put back: `start` or `upgrade` the socket. */
  onInspected(inspection: ConnectionInspection): void;
  /** It must not be served: a header that is malformed, missing or not allowed, a ClientHello without end, an unknown destination. */
  onInspectionFailed(reason: string): void;
  /** The connection ended first. */
  onInspectionClosed(failure: SocketFailure | undefined): void;
  onInspectionStat(stat: InspectionStat, inspector: Inspector): void;
}

/**
 * Envoy's listener filters: looks at the first bytes of an accepted connection until they say what it is. Only a PROXY protocol header is consumed. An idle
 * client is given up after `timeoutMs`; with 0 it is waited for as long as it likes. Where no inspector needs a byte, the answer comes within this call.
 *
 * @param known what another listener found before it handed the connection on
 */
export function inspectConnection(
  socket: StreamSocket,
  inspectors: readonly Inspector[],
  timeoutMs: number,
  timers: InspectionTimers,
  handler: InspectionHandler,
  known: ConnectionInspection = nothingKnown,
): void {
  const inspection = new PendingInspection(socket, inspectors, timers, handler, known);
  if (!inspection.advance() && timeoutMs > 0) inspection.timer = timers.schedule(timeoutMs, inspection);
}

/** Of a connection at which nobody has looked. */
export const nothingKnown: ConnectionInspection = {
  transportProtocol: "raw_buffer",
  sni: "",
  applicationProtocols: [],
  decision: undefined,
  proxyTlvs: [],
};

const noBytes = Buffer.alloc(0);
const firstBufferBytes = 1_024;

class PendingInspection implements SocketHandler, TimerTarget {
  timer: TimerHandle | undefined;
  readonly #socket: StreamSocket;
  readonly #inspectors: readonly Inspector[];
  readonly #timers: InspectionTimers;
  readonly #handler: InspectionHandler;
  /** The inspector whose turn it is. */
  #turn = 0;
  /** What came: bytes [#consumed, #received) of the buffer are the application's. */
  #buffer: Buffer = noBytes;
  #received = 0;
  #consumed = 0;
  #isReading = false;
  #isDone = false;
  #transportProtocol: "tls" | "raw_buffer";
  #sni: string;
  #applicationProtocols: readonly string[];
  #decision: ProtocolDecision | undefined;
  #proxyTlvs: readonly ProxyTlv[];

  constructor(
    socket: StreamSocket,
    inspectors: readonly Inspector[],
    timers: InspectionTimers,
    handler: InspectionHandler,
    known: ConnectionInspection,
  ) {
    this.#socket = socket;
    this.#inspectors = inspectors;
    this.#timers = timers;
    this.#handler = handler;
    this.#transportProtocol = known.transportProtocol;
    this.#sni = known.sni;
    this.#applicationProtocols = known.applicationProtocols;
    this.#decision = known.decision;
    this.#proxyTlvs = known.proxyTlvs;
  }

  /** Goes from inspector to inspector as far as the bytes reach. @returns whether it has come to an end */
  advance(): boolean {
    while (!this.#isDone) {
      const inspector = this.#inspectors[this.#turn];
      if (inspector === undefined) {
        this.#finish();
        break;
      }
      const isDisabled = inspector.isDisabledOn?.(this.#socket.localAddress.port) ?? false;
      if (!isDisabled && !this.#inspect(inspector)) {
        if (!this.#isReading && !this.#isDone) {
          this.#isReading = true;
          this.#socket.start(this);
        }
        break;
      }
      this.#turn += 1;
    }
    return this.#isDone;
  }

  onReady(): void {}

  onBytes(bytes: Buffer, start: number, end: number): number {
    this.#keep(bytes, start, end);
    this.advance();
    return end - start;
  }

  /** The peer will send no more: judged by what there is. */
  onEnd(): void {
    if (this.#inspectors[this.#turn]?.kind === "proxy_protocol" && this.#received > this.#consumed)
      return this.#fail("the connection ended within its PROXY protocol header");
    this.#decision = "ended";
    this.#finish();
  }

  onDrain(): void {}

  onClose(failure: SocketFailure | undefined): void {
    this.#isDone = true;
    this.#cancelTimer();
    this.#handler.onInspectionClosed(failure);
  }

  onTimer(): void {
    this.timer = undefined;
    // Whoever must say where a connection comes from, and does not, is not believed to come from where it seems to.
    const waitsFor = this.#inspectors[this.#turn];
    if (waitsFor?.kind === "proxy_protocol" && !waitsFor.allowsNone)
      return this.#fail("no PROXY protocol header came in time");
    this.#decision = "timeout";
    this.#finish();
  }

  /** Room grows by doubling, so that a client that sends byte by byte costs no more than its bytes. */
  #keep(bytes: Buffer, start: number, end: number): void {
    const wanted = this.#received + end - start;
    if (wanted > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(wanted, firstBufferBytes, 2 * this.#buffer.length));
      this.#buffer.copy(larger, 0, 0, this.#received);
      this.#buffer = larger;
    }
    bytes.copy(this.#buffer, this.#received, start, end);
    this.#received = wanted;
  }

  /** @returns whether the next one may look; false also when it failed */
  #inspect(inspector: Inspector): boolean {
    switch (inspector.kind) {
      case "original_dst":
        if (this.#socket.restoreDestination()) return true;
        this.#fail("its original destination cannot be read");
        return false;
      case "proxy_protocol":
        return this.#inspectProxyHeader(inspector);
      case "tls_inspector":
        return this.#inspectClientHello(inspector);
      case "http_inspector":
        return this.#transportProtocol === "tls" || this.#inspectHttp(inspector);
    }
  }

  #inspectProxyHeader(inspector: ProxyProtocolInspector): boolean {
    const header = parseProxyHeader(this.#buffer, this.#consumed, this.#received);
    if (header.kind === "incomplete") return false;
    if (header.kind === "none") {
      this.#count(`proxy_proto.${inspector.allowsNone ? "not_found_allowed" : "not_found_disallowed"}`, inspector);
      if (!inspector.allowsNone) this.#fail("it does not begin with a PROXY protocol header");
      return inspector.allowsNone;
    }
    const { version } = header;
    if (inspector.disallowed.includes(version)) {
      this.#count(`proxy_proto.versions.v${version}.disallowed`, inspector);
      if (!inspector.allowsNone) this.#fail(`version ${version} of the PROXY protocol is not allowed`);
      return inspector.allowsNone;
    }
    if (header.kind === "malformed") {
      this.#count(`proxy_proto.versions.v${version}.error`, inspector);
      this.#fail(`a malformed PROXY protocol header: ${header.reason}`);
      return false;
    }
    this.#count(`proxy_proto.versions.v${version}.found`, inspector);
    this.#consumed += header.length;
    this.#proxyTlvs = header.tlvs.filter(({ type }) => inspector.passesTlv(type));
    if (header.addresses !== undefined) this.#socket.replaceAddresses(header.addresses);
    return true;
  }

  #inspectClientHello(inspector: Inspector): boolean {
    const hello = inspectClientHello(this.#buffer, this.#consumed, this.#received);
    switch (hello.kind) {
      case "incomplete":
        return false;
      case "too-long":
        this.#count("tls_inspector.client_hello_too_large", inspector);
        this.#fail("its ClientHello is too long");
        return false;
      case "not-tls":
        this.#count("tls_inspector.tls_not_found", inspector);
        this.#decision ??= "opaque";
        return true;
      case "tls":
        this.#count("tls_inspector.tls_found", inspector);
        this.#count(`tls_inspector.${hello.sni === "" ? "sni_not_found" : "sni_found"}`, inspector);
        this.#count(`tls_inspector.${hello.alpn.length === 0 ? "alpn_not_found" : "alpn_found"}`, inspector);
        this.#transportProtocol = "tls";
        this.#sni = hello.sni;
        this.#applicationProtocols = hello.alpn;
        this.#decision = "tls";
        return true;
    }
  }

  #inspectHttp(inspector: Inspector): boolean {
    const http = inspectHttp(this.#buffer, this.#consumed, this.#received);
    if (http === "incomplete" && this.#received - this.#consumed < maxRequestLineBytes) return false;
    if (http === "incomplete" || http === "not-http") {
      this.#count("http_inspector.http_not_found", inspector);
      this.#decision = "opaque";
      return true;
    }
    this.#count(`http_inspector.${httpStats[http]}`, inspector);
    this.#applicationProtocols = [http];
    this.#decision = http;
    return true;
  }

  #finish(): void {
    this.#isDone = true;
    this.#cancelTimer();
    this.#putBack();
    this.#handler.onInspected({
      transportProtocol: this.#transportProtocol,
      sni: this.#sni,
      applicationProtocols: this.#applicationProtocols,
      decision: this.#decision,
      proxyTlvs: this.#proxyTlvs,
    });
  }

  #putBack(): void {
    if (this.#isReading) this.#socket.unread(this.#buffer.subarray(this.#consumed, this.#received), this.#consumed);
    this.#buffer = noBytes;
  }

  #fail(reason: string): void {
    this.#isDone = true;
    this.#cancelTimer();
    this.#buffer = noBytes;
    this.#handler.onInspectionFailed(reason);
  }

  #count(stat: InspectionStat, inspector: Inspector): void {
    this.#handler.onInspectionStat(stat, inspector);
  }

  #cancelTimer(): void {
    if (this.timer !== undefined) this.#timers.cancel(this.timer);
    this.timer = undefined;
  }
}

const httpStats = { "http/1.0": "http10_found", "http/1.1": "http11_found", h2c: "http2_found" } as const;
