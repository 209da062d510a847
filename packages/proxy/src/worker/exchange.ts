import { emptyList, type ErrorCode } from "@heddle/core";
import { type BoundMirror, type ConnectionView, RequestRecord } from "@heddle/engine";
import { type Framing, HeaderList, type RequestHead } from "@heddle/http";
import type { ExchangeConnection, ExchangeFailure, ExchangeSink, UpstreamExchange } from "@heddle/upstream";
import type { TlsSession } from "@heddle/net";
import type { WorkloadLabels } from "@heddle/telemetry";
import type { TappedRequest } from "../tap/request-taps.ts";
import type { WorkerContext } from "./context.ts";
import type { Deadlines } from "./deadlines.ts";
import type { GrpcWebCall } from "./grpc-web.ts";
import type { HttpChain } from "./http-chain.ts";
import { RequestBody } from "./request-body.ts";

/** Longest body that is kept so that it can be sent again (design, issue 1). */
export const maxReplayBytes = 65_536;

/** The client's side of one request: what the request path needs of a downstream connection, whatever it speaks. */
export interface Downstream {
  readonly httpVersion: 1 | 2;
  readonly view: ConnectionView;
  readonly deadlines: Deadlines;
  /** Position of this connection among all of the worker, for the log. */
  readonly connectionId: number;
  /** `TLSv1.3`, `TLS_AES_128_GCM_SHA256`; empty without TLS. */
  readonly tlsVersion: string;
  readonly tlsCipher: string;
  readonly tlsSession: TlsSession | undefined;
  sendInformational(status: number, headers: HeaderList): void;
  sendHead(status: number, headers: HeaderList, framing: Framing): void;
  /** Bytes of the answer that wait for the client. */
  readonly queuedBytes: number;
  /** False: wait for `onDownstreamDrain`. */
  sendData(bytes: Buffer, start: number, end: number): boolean;
  sendTrailers(trailers: HeaderList): void;
  endResponse(): void;
  /** Nothing more comes of what CONNECT made; what the client sends goes on. `endResponse` follows. */
  endHalf(): void;
  /** Breaks the connection off, so that the client sees that what it has got is not the whole response. */
  abortResponse(): void;
  /** After the response, if there is one, the connection closes: `connection: close` is said when it still can be. */
  closeAfterResponse(): void;
  /** A response comes before the request has arrived whole; what to do with the rest is decided now, since the head of the response may have to say it. */
  leaveRestUnread(): void;
  /** Whether the rest of a request that has been answered is dropped unread: its end will not be reported. */
  dropsRest(): boolean;
  pauseRequest(): void;
  resumeRequest(): void;
  /** The request is over and counted; the next one may begin. */
  onExchangeFinished(): void;
}

/** What the request path does when the upstream reports something. */
export interface UpstreamEvents {
  onConnected(x: Exchange): void;
  onInformational(x: Exchange, status: number, headers: HeaderList): void;
  onHead(x: Exchange, status: number, headers: HeaderList, framing: Framing): void;
  onData(x: Exchange, bytes: Buffer, start: number, end: number): void;
  onHalfEnd(x: Exchange): void;
  onEnd(x: Exchange): void;
  onDrain(x: Exchange): void;
  onFailure(x: Exchange, failure: ExchangeFailure): void;
}

/** How far the response has got. */
export type ResponsePhase = "none" | "head-sent" | "ended";

/**
 * One request and its response: the state that the request path (`request-path.ts`) works on. It decides nothing itself and
 * belongs to one connection, which uses it for one request after the other.
 */
export class Exchange implements ExchangeSink {
  readonly worker: WorkerContext;
  readonly downstream: Downstream;
  /** The version of the filter chain that serves this request; changes between requests. */
  chain: HttpChain;
  readonly req = new RequestRecord();
  readonly body = new RequestBody(maxReplayBytes);
  /** Clusters to copy the request to, once its body is complete. */
  readonly mirrors: BoundMirror[] = [];
  responseHeaders = new HeaderList();
  responseTrailers: HeaderList | undefined;
  head: RequestHead | undefined;

  /** Next stage of the request path. */
  stage = 0;
  isActive = false;
  isRequestComplete = false;
  isRequestPaused = false;
  isResponsePaused = false;
  wasDelayed = false;
  /** The client speaks gRPC-Web, and the upstream gRPC. */
  grpcWeb: GrpcWebCall | undefined;
  /** The upstream has switched to the protocol that the request asked for, or has made the way that CONNECT asked for. */
  isTunnel = false;
  /** Nothing more comes from the upstream through the tunnel. */
  hasUpstreamEnded = false;
  /** The client may send its body: it has not asked first, or has been told to. */
  isBodyWanted = false;
  responsePhase: ResponsePhase = "none";
  upstream: UpstreamExchange | undefined;
  /** Counts attempts begun, so that a failure inside `open` is told from the attempt that follows it. */
  attempts = 0;
  hasAttemptFailed = false;
  /** A byte of the request may have reached an application. */
  mayHaveReachedApplication = false;
  wasAnsweredByUpstream = false;
  status = 0;
  code: ErrorCode | "" = "";
  transportFailure = "";
  /** Labels that the peer gave of itself, when it is one of ours. */
  peerLabels: WorkloadLabels | undefined;
  responseBytes = 0;
  startedAtMs = 0;
  startedAtWallMs = 0;
  requestEndedAtMs = -1;
  /** When the route began to hold: later than the end of a request that an injected delay held back. */
  routedAtMs = -1;
  attemptAtMs = 0;
  responseAtMs = -1;
  /** The connection of the last attempt that had one. */
  upstreamConnection: ExchangeConnection | undefined;
  /** What open taps show of it; undefined: none was open when it was sent. */
  tapped: TappedRequest | undefined;

  readonly #events: UpstreamEvents;

  constructor(worker: WorkerContext, downstream: Downstream, chain: HttpChain, events: UpstreamEvents) {
    this.#events = events;
    this.worker = worker;
    this.downstream = downstream;
    this.chain = chain;
  }

  get announcement(): string | undefined {
    return this.chain.announcement;
  }

  /** Ready for the next request of the connection. */
  reset(): void {
    this.req.release();
    this.body.reset();
    emptyList(this.mirrors);
    // Not cleared but replaced: the log and the encoder of the last response may still read the old one.
    this.responseHeaders = new HeaderList();
    this.responseTrailers = undefined;
    this.head = undefined;
    this.stage = 0;
    this.isActive = false;
    this.isRequestComplete = false;
    this.isRequestPaused = false;
    this.isResponsePaused = false;
    this.wasDelayed = false;
    this.grpcWeb = undefined;
    this.isTunnel = false;
    this.hasUpstreamEnded = false;
    this.isBodyWanted = false;
    this.responsePhase = "none";
    this.upstream = undefined;
    this.attempts = 0;
    this.hasAttemptFailed = false;
    this.mayHaveReachedApplication = false;
    this.wasAnsweredByUpstream = false;
    this.status = 0;
    this.code = "";
    this.transportFailure = "";
    this.peerLabels = undefined;
    this.responseBytes = 0;
    this.requestEndedAtMs = -1;
    this.routedAtMs = -1;
    this.responseAtMs = -1;
    this.upstreamConnection = undefined;
    this.tapped = undefined;
  }

  // What the upstream reports (ExchangeSink).
  onConnected(): void {
    this.#events.onConnected(this);
  }
  onInformational(status: number, headers: HeaderList): void {
    this.#events.onInformational(this, status, headers);
  }
  onHead(status: number, headers: HeaderList, framing: Framing): void {
    this.#events.onHead(this, status, headers, framing);
  }
  onData(bytes: Buffer, start: number, end: number): void {
    this.#events.onData(this, bytes, start, end);
  }
  onTrailers(trailers: HeaderList): void {
    this.responseTrailers = trailers;
  }
  onHalfEnd(): void {
    this.#events.onHalfEnd(this);
  }
  onEnd(): void {
    this.#events.onEnd(this);
  }
  onDrain(): void {
    this.#events.onDrain(this);
  }
  onFailure(failure: ExchangeFailure): void {
    this.#events.onFailure(this, failure);
  }
}
