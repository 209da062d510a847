import { formatAddress } from "@heddle/net";
import {
  formatTapEvent,
  matchesTap,
  shownHeaders,
  shownText,
  type TapConfig,
  type TapEvent,
  type TapPeer,
  type TapRequest,
} from "@heddle/telemetry";
import type { Exchange } from "../worker/exchange.ts";
import { decidedByOf, detailsOf, protocolOf } from "../worker/request-facts.ts";
import { SharedTap } from "./shared-tap.ts";

/** A tap as the workers are told of it. */
export interface TapSetup {
  readonly id: number;
  readonly config: TapConfig;
  /** See `SharedTap`. */
  readonly shared: SharedArrayBuffer;
}

/** Gives the lines of a turn to the main thread. */
type Send = (id: number, lines: readonly string[]) => void;

/**
 * The taps of one worker. What they show is decided here, so that nothing leaves the thread that nobody asked for; while none
 * is open the request path looks at `openCount` and no further.
 */
export class RequestTaps {
  openCount = 0;
  readonly #worker: number;
  readonly #send: Send;
  #taps: readonly OpenTap[] = [];
  #requests = 0;

  constructor(worker: number, send: Send) {
    this.#worker = worker;
    this.#send = send;
  }

  open(setup: TapSetup, nowMs: number): void {
    this.#replace([...this.#taps, new OpenTap(setup, nowMs, this.#send)]);
  }

  close(id: number): void {
    this.#taps.find((tap) => tap.id === id)?.close();
    this.#replace(this.#taps.filter((tap) => tap.id !== id));
  }

  /** A request goes to its endpoint; called again when the connection to it stands, and for each further attempt. */
  onAttempt(x: Exchange): void {
    x.tapped ??= this.#begin(x);
    this.#decide(x, x.tapped, false);
  }

  /** The head of its response goes to the client. */
  onHead(x: Exchange, tapped: TappedRequest): void {
    this.#decide(x, tapped, false);
    tellHead(x, tapped, x.responseAtMs - x.startedAtMs);
  }

  /** It is over, however: one that was never sent anywhere, or had no response until now, has the events that are missing. */
  onEnd(x: Exchange, durationMs: number, grpcStatus: number): void {
    const tapped = x.tapped ?? this.#begin(x);
    this.#decide(x, tapped, true);
    if (x.status !== 0) tellHead(x, tapped, durationMs);
    tellEnd(x, tapped, durationMs, grpcStatus);
  }

  #replace(taps: readonly OpenTap[]): void {
    this.#taps = taps;
    this.openCount = taps.length;
  }

  /** Requests that were there before a tap was are none of its. */
  #begin(x: Exchange): TappedRequest {
    const undecided = this.#taps.filter((tap) => tap.openedAtMs <= x.startedAtMs);
    return new TappedRequest(`${this.#worker}-${++this.#requests}`, undecided);
  }

  #decide(x: Exchange, tapped: TappedRequest, isLast: boolean): void {
    const { undecided } = tapped;
    if (undecided.length === 0) return;
    const destinationIdentity = destinationOf(x).identity ?? "";
    const waits = (tap: OpenTap): boolean =>
      !isLast && destinationIdentity === "" && tap.config.match.destinationIdentity !== undefined;
    const { req } = x;
    const subject = {
      method: req.method,
      path: req.originalPath,
      authority: req.originalAuthority,
      scheme: req.scheme,
      headers: req.headers,
      sourceIdentity: sourceOf(x).identity ?? "",
      destinationIdentity,
      direction: x.chain.direction,
    };
    tapped.undecided = undecided.filter(waits);
    const chosen = undecided.filter((tap) => !waits(tap) && tap.takes(subject));
    tellStart(x, tapped, chosen);
    tapped.shownBy = [...tapped.shownBy, ...chosen];
  }
}

/** What the taps know of a request in progress. */
export class TappedRequest {
  readonly id: string;
  /** They ask for the destination's identity, which is known when a connection to it stands. */
  undecided: readonly OpenTap[];
  shownBy: readonly OpenTap[] = [];
  hasHead = false;

  constructor(id: string, undecided: readonly OpenTap[]) {
    this.id = id;
    this.undecided = undecided;
  }
}

/** One tap in one worker. */
class OpenTap {
  readonly id: number;
  readonly config: TapConfig;
  /** By the worker's own clock. */
  readonly openedAtMs: number;
  readonly #shared: SharedTap;
  readonly #send: Send;
  #lines: string[] = [];
  #isOpen = true;

  constructor({ id, config, shared }: TapSetup, openedAtMs: number, send: Send) {
    this.id = id;
    this.config = config;
    this.openedAtMs = openedAtMs;
    this.#shared = new SharedTap(shared);
    this.#send = send;
  }

  close(): void {
    this.#isOpen = false;
  }

  takes(subject: Parameters<typeof matchesTap>[1]): boolean {
    const { match, maxRps } = this.config;
    return this.#isOpen && matchesTap(match, subject) && this.#shared.takeRequest(maxRps, Date.now());
  }

  /** Lines of a turn go together. One for which there is no room, since nobody reads, is left out. */
  tell(line: string): void {
    if (!this.#isOpen || !this.#shared.reserve(line.length)) return;
    if (this.#lines.push(line) === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const lines = this.#lines;
    this.#lines = [];
    if (this.#isOpen) this.#send(this.id, lines);
  }
}

function tellStart(x: Exchange, tapped: TappedRequest, taps: readonly OpenTap[]): void {
  if (taps.length === 0) return;
  const { req, downstream, head } = x;
  tell(taps, {
    event: "request-start",
    ...requestOf(x, tapped),
    time: new Date(x.startedAtWallMs).toISOString(),
    method: req.method,
    path: shownText(req.originalPath),
    rewrittenPath: req.path === req.originalPath ? undefined : shownText(req.path),
    authority: shownText(req.originalAuthority),
    scheme: req.scheme,
    protocol: protocolOf(downstream, head),
    headers: shownHeaders(req.headers),
  });
}

function tellHead(x: Exchange, tapped: TappedRequest, latencyMs: number): void {
  // A head that gRPC-Web holds back is known when the response is over.
  if (tapped.shownBy.length === 0 || tapped.hasHead || x.grpcWeb?.isHeld === true) return;
  tapped.hasHead = true;
  tell(tapped.shownBy, {
    event: "response-head",
    ...requestOf(x, tapped),
    status: x.status,
    latencyUs: Math.round(latencyMs * 1000),
    headers: shownHeaders(x.responseHeaders),
  });
}

function tellEnd(x: Exchange, tapped: TappedRequest, durationMs: number, grpcStatus: number): void {
  if (tapped.shownBy.length === 0) return;
  tell(tapped.shownBy, {
    event: "request-end",
    ...requestOf(x, tapped),
    status: x.status === 0 ? undefined : x.status,
    grpcStatus: grpcStatus < 0 ? undefined : grpcStatus,
    durationUs: Math.round(durationMs * 1000),
    requestBytes: x.body.receivedBytes,
    responseBytes: x.responseBytes,
    flags: [...x.req.flags],
    details: known(detailsOf(x)),
    decidedBy: known(decidedByOf(x)),
    attempts: x.attempts,
  });
}

function tell(taps: readonly OpenTap[], event: TapEvent): void {
  const line = formatTapEvent(event);
  for (const tap of taps) tap.tell(line);
}

function requestOf(x: Exchange, tapped: TappedRequest): TapRequest {
  const { req, chain } = x;
  return {
    id: tapped.id,
    direction: chain.direction,
    source: sourceOf(x),
    destination: destinationOf(x),
    route: known(req.route?.name ?? ""),
    cluster: known(req.clusterName),
    endpoint: req.endpoint?.address,
  };
}

/** Who asks: the peer, else, on its way out, the workload of this proxy. */
function sourceOf({ chain, downstream }: Exchange): TapPeer {
  const { view } = downstream;
  const own = chain.direction === "outbound" ? chain.localPrincipal : "";
  return {
    address: formatAddress(view.remoteAddress.host, view.remoteAddress.port),
    identity: known(view.peer?.principal ?? "") ?? known(own),
    tls: known(downstream.tlsVersion),
  };
}

/** Whom it asked, at the address that it asked; who answers is the endpoint's peer, else, on its way in, the workload of this proxy. */
function destinationOf(x: Exchange): TapPeer {
  const { chain, downstream } = x;
  const { view } = downstream;
  const connection = x.upstream?.connection ?? x.upstreamConnection;
  const own = chain.direction === "inbound" ? (known(view.localPrincipal) ?? known(chain.localPrincipal)) : undefined;
  return {
    address: formatAddress(view.localAddress.host, view.localAddress.port),
    identity: known(connection?.peer?.principal ?? "") ?? own,
    tls: known(connection?.tlsVersion ?? ""),
  };
}

function known(text: string): string | undefined {
  return text === "" ? undefined : text;
}
