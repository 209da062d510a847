// The steps. Each writes into the given Action and never keeps a reference to it. `nowMs` is monotonic milliseconds;
// `random` gives numbers in [0, 1).
import type { RandomSource } from "@heddle/core";
import type { ConnectionView } from "../bind/connection.ts";
import type { MutableHeaders } from "../bind/headers.ts";
import type { Snapshot } from "../bind/snapshot.ts";
import type {
  BoundCluster,
  BoundFilterChain,
  BoundHttpConnectionManager,
  BoundListener,
  ConnectionDecision,
} from "../bind/types.ts";
import type { Action } from "./action.ts";
import type { DecisionTrace } from "./decision-trace.ts";
import type { LiveState } from "./live-state.ts";
import type { AttemptFailure, RequestOutcome } from "./outcome.ts";
import type { RequestRecord } from "./request-record.ts";

/** Envoy's order: destination port, IP, server name, transport protocol, ALPN, source. undefined: close the connection. */
export declare function matchFilterChain(
  listener: BoundListener,
  connection: ConnectionView,
  trace?: DecisionTrace,
): BoundFilterChain | undefined;

/** The network RBAC filters of a chain, before one byte goes to its terminal filter. */
export declare function authorizeConnection(
  chain: BoundFilterChain,
  connection: ConnectionView,
  trace?: DecisionTrace,
): ConnectionDecision;

/** Path normalisation and edge headers, before policy and routing. `proceed` or `respond`. */
export declare function prepareRequest(
  hcm: BoundHttpConnectionManager,
  req: RequestRecord,
  random: RandomSource,
  out: Action,
  trace?: DecisionTrace,
): void;

/** Route, then the filters in order, then the route's action and header mutations. `respond`, `delay` or `forward`. */
export declare function decideRequest(
  snapshot: Snapshot,
  live: LiveState,
  hcm: BoundHttpConnectionManager,
  req: RequestRecord,
  nowMs: number,
  random: RandomSource,
  out: Action,
  trace?: DecisionTrace,
): void;

/** Goes on where a `delay` stopped; same results as decideRequest. */
export declare function afterDelay(
  live: LiveState,
  req: RequestRecord,
  nowMs: number,
  random: RandomSource,
  out: Action,
  trace?: DecisionTrace,
): void;

/** Load balancing and limits of `req.cluster`; counts the attempt as active. `connect` or `respond` (no host, overflow). */
export declare function chooseEndpoint(
  live: LiveState,
  req: RequestRecord,
  nowMs: number,
  random: RandomSource,
  out: Action,
  trace?: DecisionTrace,
): void;

/** A failed attempt: releases it; `retry` or `respond`. After a started response always `respond` with the stream to be reset. */
export declare function afterFailure(
  live: LiveState,
  req: RequestRecord,
  failure: AttemptFailure,
  nowMs: number,
  random: RandomSource,
  out: Action,
  trace?: DecisionTrace,
): void;

/** An upstream response head: `retry` (the proxy cancels the exchange) or `proceed`, with `headers` finalised for downstream. */
export declare function afterResponseHead(
  live: LiveState,
  req: RequestRecord,
  status: number,
  headers: MutableHeaders,
  upstreamServiceTimeMs: number,
  nowMs: number,
  random: RandomSource,
  out: Action,
): void;

/** The head of a response made here (`out.kind` = `respond`): location, content-type, route's header mutations, server, request id. */
export declare function writeLocalResponse(req: RequestRecord, out: Action, headers: MutableHeaders): void;

/** The global or per-try timer fired: `retry` (per try only) or `respond` with 504. */
export declare function afterTimeout(
  live: LiveState,
  req: RequestRecord,
  which: "request" | "per-try" | "per-try-idle",
  nowMs: number,
  random: RandomSource,
  out: Action,
): void;

/** Ends the accounting of a request, whatever stage it reached. A second call does nothing. */
export declare function finishRequest(live: LiveState, req: RequestRecord, outcome: RequestOutcome): void;

/** For TCP proxying: picks the cluster by weight. */
export declare function chooseTcpCluster(
  snapshot: Snapshot,
  chain: BoundFilterChain,
  random: RandomSource,
): BoundCluster | undefined;

/** For TCP proxying and mirrors: an endpoint without a request's bookkeeping; undefined: none healthy. */
export declare function pickEndpoint(
  live: LiveState,
  cluster: BoundCluster,
  random: RandomSource,
): import("../bind/types.ts").BoundEndpoint | undefined;
