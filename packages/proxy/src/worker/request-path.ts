import { type ErrorCode, errorEntry } from "@heddle/core";
import {
  afterDelay,
  afterFailure,
  afterResponseHead,
  afterTimeout,
  chooseEndpoint,
  decideRequest,
  immediateFailureHeader,
  prepareRequest,
  type RequestRecord,
  unprocessedHeader,
  upstreamScheme,
} from "@heddle/engine";
import { type Framing, HeaderList, removeHopByHop, type RequestHead } from "@heddle/http";
import type { ExchangeFailure, UpstreamExchange } from "@heddle/upstream";
import { type Deadline, deadline } from "./deadlines.ts";
import type { Exchange, UpstreamEvents } from "./exchange.ts";
import { finish } from "./finish.ts";
import { GrpcWebCall } from "./grpc-web.ts";
import { shedsLoad } from "./load-shedding.ts";
import { respond } from "./local-reply.ts";
import { stalledGraceMs } from "./orderly-close.ts";
import { destinationOf, ServedTunnel } from "./tunnel-server.ts";

/** What a stage says of the way: it goes on at once; it waits for a timer, the peer or the upstream; it has ended. */
type Step = "on" | "wait" | "over";
type Stage = (x: Exchange) => Step;

/**
 * THE REQUEST PATH. Every request of every protocol goes through these stages, in this order, each of which may answer it.
 * From the last one on the upstream's events drive it: see "The response" below.
 */
const requestStages: readonly Stage[] = [
  // First, so that whatever answers below, requests begun and requests ended add up.
  count,
  // Before anything trusts a header: `Connection` must not name, and so delete, what the stages below add.
  dropHopByHopHeaders,
  // Before the target is believed: where absolute form is switched off, nobody may choose the authority by it, and nowhere claim TLS.
  refuseAbsoluteForm,
  // Nobody could say whose request it is: no virtual host, no policy about hosts, no upstream.
  refuseWithoutHost,
  // Before routing: what follows is not this protocol any more, and nobody may be made to believe it is. Whether it may be switched to,
  // and whether CONNECT may be made, the route decides.
  readUpgrade,
  // Path and edge headers: policy, routes, logs and the upstream must all see the same request.
  prepare,
  // As early as it is known how the caller wants to be answered: what is shed must cost next to nothing.
  shed,
  // The peer's labels are read before policy, since denials are counted with them, and never reach the application.
  readPeerMetadata,
  // Authorization, then faults, then the route, in the order of the configured filters; header mutations come last.
  decide,
  // An injected delay is over; the abort that may follow it is decided now.
  decideAfterDelay,
  // Only now, so that the body of a refused request is never asked for.
  askForBody,
  // After all mutations, so that no route or client can speak in our name.
  announceWorkload,
  // Before anything of the body goes out, to the upstream or to a mirror.
  translateGrpcWeb,
  // Only what would go to an upstream: all that could be answered here has been.
  shedBeforeUpstream,
  // From here on the route's time limits hold and its mirrors get copies, however long an injected delay took.
  followRoute,
  // Last: an endpoint is chosen for the request as it will be sent, again for each attempt.
  attempt,
];
const stageAfterDelay = requestStages.indexOf(decideAfterDelay);
const stageFollowRoute = requestStages.indexOf(followRoute);
const stageAttempt = requestStages.indexOf(attempt);

/** The head of a request has been read. */
export function onRequestHead(x: Exchange, head: RequestHead): void {
  const { view } = x.downstream;
  x.head = head;
  x.isActive = true;
  x.startedAtMs = x.worker.timers.now();
  x.startedAtWallMs = Date.now();
  x.req.begin(head.method, head.path, head.authority, head.scheme, head.headers, view);
  run(x);
}

/** Runs stages until one of them waits or answers. */
function run(x: Exchange): void {
  while (x.isActive && x.stage < requestStages.length) {
    const stage = requestStages[x.stage++]!;
    if (stage(x) !== "on") return;
  }
}

function count(x: Exchange): Step {
  const { chain, worker, downstream } = x;
  worker.metrics.ledger.start();
  worker.timers.enter();
  chain.stats.requestsTotal.add(1);
  chain.stats.requestsActive.add(1);
  const { requestTimeoutMs, streamIdleTimeoutMs } = chain.hcm.config;
  downstream.deadlines.set(deadline.wholeRequest, x.startedAtMs, requestTimeoutMs);
  downstream.deadlines.set(deadline.streamIdle, x.startedAtMs, streamIdleTimeoutMs);
  return "on";
}

/** Envoy's action `stop_accepting_requests`, and its load shed point of a request's head. */
function shed(x: Exchange): Step {
  if (
    !x.worker.load.stopsRequests &&
    !shedsLoad(x.worker, "envoy.load_shed_points.http_connection_manager_decode_headers")
  )
    return "on";
  x.chain.stats.requestsShed.add(1);
  return refuse(x, "overloaded");
}

/** Envoy's load shed point of its router. */
function shedBeforeUpstream(x: Exchange): Step {
  if (!shedsLoad(x.worker, "envoy.load_shed_points.http_downstream_filter_check")) return "on";
  x.chain.stats.routesShed.add(1);
  return refuse(x, "overloaded");
}

function dropHopByHopHeaders(x: Exchange): Step {
  removeHopByHop(x.head!.headers, true);
  return "on";
}

function refuseAbsoluteForm(x: Exchange): Step {
  const { downstream, chain } = x;
  const { scheme } = x.head!;
  // Only HTTP/1.1 has forms of targets; in HTTP/2 the scheme and the authority are fields of their own.
  if (downstream.httpVersion === 2 || scheme === "") return "on";
  // As Envoy: the upstream is told the scheme, and must not take plaintext for what came by TLS.
  const isFalseScheme = scheme === "https" && !downstream.view.isTls;
  return chain.hcm.config.http1.allowAbsoluteUrl && !isFalseScheme ? "on" : refuse(x, "downstream_protocol_error");
}

/** Only HTTP/1.0 may leave the host out (RFC 9112 §3.2), where the listener names one for it; else Envoy refuses it, too. */
function refuseWithoutHost(x: Exchange): Step {
  if (x.req.authority !== "") return "on";
  const { action } = x.worker;
  action.respond(x.req, "downstream_protocol_error");
  action.withDetails(x.req, "missing_host_header");
  respond(x);
  return "over";
}

function readUpgrade(x: Exchange): Step {
  const { method, path, upgrade, bodyKind, contentLength } = x.head!;
  const isConnect = method === "CONNECT";
  // RFC 9110 §7.8: an offer of HTTP/2 may be ignored, as Envoy does; the request goes on as HTTP/1.1.
  if (!isConnect && (upgrade === "" || upgrade === "h2c")) return "on";
  x.downstream.closeAfterResponse();
  // Where a body ends and the other protocol begins would be told twice. A CONNECT with a path is one of RFC 8441 that has ended already, and
  // no protocol has the method's name.
  const hasBody = bodyKind === "chunked" || (bodyKind === "length" && contentLength > 0);
  if (hasBody || (isConnect ? path !== "" : upgrade === connectUpgrade)) return refuse(x, "upgrade_refused");
  x.req.upgrade = isConnect ? connectUpgrade : upgrade;
  return "on";
}

/** What `upgrade_configs` calls the method CONNECT, in lower case. */
const connectUpgrade = "connect";

function prepare(x: Exchange): Step {
  const { worker, chain, req } = x;
  prepareRequest(chain.hcm, req, worker.random, worker.action);
  return goOnOrRespond(x);
}

function readPeerMetadata(x: Exchange): Step {
  const { chain, req, worker, downstream } = x;
  if (chain.readsPeerMetadata) {
    const labels = worker.peerMetadata.take(req.headers);
    // What a peer says of itself counts only beside a certificate.
    if (downstream.view.peer !== undefined) x.peerLabels = labels;
  }
  // Nobody outside may claim it of a request; nothing reads it there today, and nothing shall.
  req.headers.remove(unprocessedHeader);
  return "on";
}

function decide(x: Exchange): Step {
  const { worker, chain, req } = x;
  decideRequest(worker.snapshot, worker.live, chain.hcm, req, x.startedAtMs, worker.random, worker.action);
  return delayOrGoOn(x);
}

function decideAfterDelay(x: Exchange): Step {
  const { worker, req } = x;
  if (x.wasDelayed) {
    x.wasDelayed = false;
    afterDelay(worker.live, req, worker.random, worker.action);
    const step = delayOrGoOn(x);
    if (step !== "on") return step;
  }
  for (const mirror of worker.action.mirrors) x.mirrors.push(mirror);
  return "on";
}

function delayOrGoOn(x: Exchange): Step {
  const { action, timers } = x.worker;
  if (action.kind !== "delay") return goOnOrRespond(x);
  x.wasDelayed = true;
  x.stage = stageAfterDelay;
  x.downstream.deadlines.set(deadline.fault, timers.now(), action.delayMs);
  return "wait";
}

function askForBody(x: Exchange): Step {
  const head = x.head!;
  // Where the expectation is passed on, the upstream asks for the body, or not.
  if (head.expectContinue && x.chain.hcm.config.proxy100Continue) return "on";
  x.isBodyWanted = true;
  if (!head.expectContinue) return "on";
  x.req.headers.remove("expect");
  if (!x.isRequestComplete && head.versionMinor === 1) x.downstream.sendInformational(100, new HeaderList());
  return "on";
}

function announceWorkload(x: Exchange): Step {
  const { announcement } = x.chain;
  if (announcement !== undefined) x.worker.peerMetadata.announce(x.req.headers, announcement);
  return "on";
}

/** What has come of the body already, during an injected delay, is translated now; the rest as it comes. */
function translateGrpcWeb(x: Exchange): Step {
  if (x.req.grpcWebRequest === "") return "on";
  const call = new GrpcWebCall(x.req);
  x.grpcWeb = call;
  if (!call.isTextRequest) return "on";
  const isText = x.body.translate((chunk) => call.decode(chunk, 0, chunk.length));
  return isText && (!x.isRequestComplete || call.isRequestWhole) ? "on" : refuse(x, "grpc_web_invalid");
}

function followRoute(x: Exchange): Step {
  const { worker, req, downstream } = x;
  const now = worker.timers.now();
  x.routedAtMs = now;
  downstream.deadlines.set(deadline.streamIdle, now, req.idleTimeoutMs);
  downstream.deadlines.set(deadline.streamDuration, x.startedAtMs, req.maxStreamDurationMs);
  if (hasEnd(x)) followRouteToTheEnd(x, now, x.body.trailers);
  return "on";
}

/** The request is whole. One that is to be switched has no end that a timeout could count from (Envoy). */
function hasEnd({ isRequestComplete, req }: Exchange): boolean {
  return isRequestComplete && req.upgrade === "";
}

/**
 * The request is whole and its route is known. As in Envoy, the route's timeout counts from here and spans all attempts: its
 * router, which starts it, sees nothing of a request before the fault filter has let it go.
 */
function followRouteToTheEnd(x: Exchange, now: number, trailers: HeaderList | undefined): void {
  const { worker, req, downstream } = x;
  downstream.deadlines.set(deadline.response, now, req.timeoutMs);
  if (x.mirrors.length > 0) worker.mirrors.send(worker, x, trailers);
}

/** One attempt: choose an endpoint, open an exchange with it, send what has arrived of the request. */
function attempt(x: Exchange): Step {
  const { worker, req, body } = x;
  const { action } = worker;
  const now = worker.timers.now();
  if (req.tunnelListener !== "") return serveTunnel(x, now);
  chooseEndpoint(worker.live, req, now, worker.random, action);
  if (action.kind !== "connect") {
    respond(x);
    return "over";
  }
  const { cluster } = req;
  const { endpoint } = action;
  if (cluster === undefined || endpoint === undefined) return refuse(x, "internal_error");
  x.attemptAtMs = now;
  x.hasAttemptFailed = false;
  const number = ++x.attempts;
  const upstream = endsConnect(x)
    ? worker.transport.openTcp(endpoint, cluster, x, req.connection, req.serverName)
    : worker.transport.open(endpoint, cluster, x, req.connection, req.serverName);
  // The attempt may have failed inside `open`; then what follows from it has been done already.
  if (x.hasAttemptFailed || x.attempts !== number || !x.isActive) return "over";
  x.upstream = upstream;
  upstream.sendHead(req.method, req.path, req.authority, x.head!.headers, requestFraming(x), upstreamScheme(req));
  if (x.upstream !== upstream) return "over";
  if (worker.taps.openCount !== 0) worker.taps.onAttempt(x);
  if (!req.canRetry && x.mirrors.length === 0) body.stopKeeping();
  if (hasEnd(x)) startAttemptTimeouts(x, now);
  // Where a connection is still being made the body waits here, not there: until then the attempt can be made elsewhere.
  if (upstream.connection !== undefined && req.upgrade === "") sendBody(x, upstream);
  return "wait";
}

/** CONNECT becomes a connection of a listener; what that does not stand for is not found, and nothing is relayed. */
function serveTunnel(x: Exchange, now: number): Step {
  const { worker, req, downstream } = x;
  const listener = worker.listenerNamed(req.tunnelListener);
  const destination = destinationOf(req.authority);
  if (listener === undefined || destination === undefined) return refuse(x, "no_route");
  x.attemptAtMs = now;
  x.hasAttemptFailed = false;
  x.attempts += 1;
  const tunnel = new ServedTunnel(downstream, destination, x);
  x.upstream = tunnel;
  if (worker.taps.openCount !== 0) worker.taps.onAttempt(x);
  tunnel.begin(listener);
  return "wait";
}

/** CONNECT whose bytes go to the endpoint itself. */
function endsConnect({ req }: Exchange): boolean {
  const action = req.upgrade === connectUpgrade ? req.route?.action : undefined;
  return action?.kind === "route" && action.terminatesConnect;
}

function sendBody(x: Exchange, upstream: UpstreamExchange): void {
  x.body.attach(upstream);
  releaseRequestPressure(x);
}

function requestFraming(x: Exchange): Framing {
  const head = x.head!;
  // The length that was announced is that of another form.
  if (x.grpcWeb !== undefined && head.bodyKind !== "none") return chunkedBody;
  const { upgrade } = x.req;
  if (upgrade !== "") return upgrade === connectUpgrade ? connectBody : { kind: "upgrade", protocol: upgrade };
  switch (head.bodyKind) {
    case "none":
      return noBody;
    case "length":
      return { kind: "length", bytes: head.contentLength };
    case "chunked":
      return chunkedBody;
  }
}
const noBody: Framing = { kind: "none" };
const chunkedBody: Framing = { kind: "chunked" };
const connectBody: Framing = { kind: "connect" };

/** A piece of the request's body. Valid only during the call. */
export function onRequestData(x: Exchange, bytes: Buffer, start: number, end: number): void {
  if (!x.isActive || x.responsePhase === "ended") return;
  const { body, chain, downstream } = x;
  if (x.grpcWeb?.isTextRequest === true) {
    const decoded = x.grpcWeb.decode(bytes, start, end);
    if (decoded === undefined) {
      refuse(x, "grpc_web_invalid");
      return;
    }
    if (decoded.length > 0) body.receive(decoded, 0, decoded.length);
  } else body.receive(bytes, start, end);
  touch(x);
  if (body.unsentBytes > chain.bufferBytes && !x.isRequestPaused) {
    x.isRequestPaused = true;
    chain.stats.pausedReading.add(1);
    downstream.pauseRequest();
  }
}

/** The request has arrived whole. */
export function onRequestEnd(x: Exchange, trailers: HeaderList | undefined): void {
  x.isRequestComplete = true;
  if (!x.isActive) return x.downstream.onExchangeFinished();
  const now = x.worker.timers.now();
  x.requestEndedAtMs = now;
  x.downstream.deadlines.clear(deadline.wholeRequest);
  if (x.grpcWeb?.isRequestWhole === false) {
    refuse(x, "grpc_web_invalid");
    return;
  }
  // Bytes that follow are of the other protocol.
  if (x.req.upgrade !== "" && !x.isTunnel) return;
  if (x.isTunnel) touch(x);
  else if (x.stage > stageFollowRoute) followRouteToTheEnd(x, now, trailers);
  // A response that has begun is not cut off by its attempt's timeout (Envoy, UpstreamRequest::onPerTryTimeout).
  if (x.upstream !== undefined && x.responsePhase === "none") startAttemptTimeouts(x, now);
  x.body.complete(trailers);
}

function startAttemptTimeouts(x: Exchange, now: number): void {
  const { deadlines } = x.downstream;
  deadlines.set(deadline.attempt, now, x.req.perTryTimeoutMs);
  deadlines.set(deadline.attemptIdle, now, x.req.perTryIdleTimeoutMs);
}

// The response -----------------------------------------------------------------------------------

function onUpstreamConnected(x: Exchange): void {
  touch(x);
  if (x.tapped !== undefined) x.worker.taps.onAttempt(x);
  // Absent while `open` runs: then the head goes first.
  if (x.upstream !== undefined && x.req.upgrade === "") sendBody(x, x.upstream);
}

/** A 1xx response. 100 is passed on only where the client's expectation was passed on. */
function onUpstreamInformational(x: Exchange, status: number, headers: HeaderList): void {
  if (x.responsePhase !== "none" || x.head!.versionMinor === 0) return;
  if (status === 100) {
    if (!x.chain.hcm.config.proxy100Continue) return;
    x.isBodyWanted = true;
  }
  removeHopByHop(headers, false);
  x.downstream.sendInformational(status, headers);
}

/** The head of an attempt's response: it is retried, or it becomes the response. */
function onUpstreamHead(x: Exchange, status: number, headers: HeaderList, framing: Framing): void {
  const { worker, req, upstream } = x;
  const now = worker.timers.now();
  touch(x);
  noteUpstream(x);
  // An origin outside the mesh may send anything: the engine must not believe it.
  if (upstream?.connection?.peer === undefined) headers.remove(unprocessedHeader);
  x.mayHaveReachedApplication = true;
  // Before anything of a retry: the next attempt should go elsewhere.
  hearOfFailure(x, headers);
  worker.metrics.cluster(req.clusterName).countStatus(status);
  removeHopByHop(headers, false);
  if (!canRepeat(x)) forbidRetries(x);
  const serviceTimeMs = x.requestEndedAtMs < 0 ? 0 : now - Math.max(x.requestEndedAtMs, x.routedAtMs);
  afterResponseHead(worker.live, req, status, headers, serviceTimeMs, worker.random, worker.action);
  if (worker.action.kind === "retry") {
    endAttempt(x);
    return retryAfter(x, now, worker.action.delayMs);
  }
  if (isFalseSwitch(x, status)) return refuseFalseSwitch(x);
  x.responseAtMs = now;
  x.wasAnsweredByUpstream = true;
  // Its idle time goes on being measured while the response streams (Envoy, `per_try_idle_timeout`).
  x.downstream.deadlines.clear(deadline.attempt);
  worker.date.addTo(headers);
  x.responseHeaders = headers;
  x.status = status;
  x.responsePhase = "head-sent";
  if (x.grpcWeb === undefined) x.downstream.sendHead(status, headers, framing);
  else {
    const framed = x.grpcWeb.head(status, headers, framing);
    if (!x.grpcWeb.isHeld) x.downstream.sendHead(status, headers, framed);
  }
  if (x.tapped !== undefined) worker.taps.onHead(x, x.tapped);
  if (isSwitched(req, status) && x.upstream !== undefined) beginTunnel(x, x.upstream);
}

/** That an endpoint says of itself that it fails counts where it is checked, so that it can come back (Envoy). */
function hearOfFailure({ worker, req }: Exchange, headers: HeaderList): void {
  const { endpoint } = req;
  if (endpoint === undefined || endpoint.activeHealth === "unchecked" || !headers.has(immediateFailureHeader)) return;
  worker.failEndpoint(req.clusterName, endpoint.key);
}

/** Whether what follows this status is the other protocol, or what CONNECT carries (RFC 9110 §9.3.6: any 2xx). */
function isSwitched({ upgrade }: RequestRecord, status: number): boolean {
  return status === 101 || (upgrade === connectUpgrade && status >= 200 && status < 300);
}

/**
 * To a client of HTTP/2 any 2xx would say that its stream speaks the other protocol now (RFC 8441 §5). A server of HTTP/1.1 that answers the GET
 * with one has ignored the offer: it switches by 101 alone.
 */
function isFalseSwitch({ downstream, req }: Exchange, status: number): boolean {
  const asksToSwitch = req.upgrade !== "" && req.upgrade !== connectUpgrade;
  return asksToSwitch && downstream.httpVersion === 2 && status >= 200 && status < 300;
}

/** With Envoy's details. Envoy passes the 2xx on and ends the stream, which its client takes for a switch all the same. */
function refuseFalseSwitch(x: Exchange): void {
  const { action } = x.worker;
  action.respond(x.req, "upgrade_refused");
  action.status = 502;
  action.withDetails(x.req, "websocket_handshake_unsuccessful");
  respond(x);
}

/** The upstream has switched protocols: from here on bytes go both ways, and the rest of the request is what the client sends. */
function beginTunnel(x: Exchange, upstream: UpstreamExchange): void {
  const { body, downstream } = x;
  x.isTunnel = true;
  x.chain.stats.upgradesTotal.add(1);
  x.chain.stats.upgradesActive.add(1);
  body.stopKeeping();
  // In HTTP/1.1 a request without a body was whole when its head was.
  if (downstream.httpVersion === 1) x.isRequestComplete = false;
  else if (x.isRequestComplete) body.complete(undefined);
  sendBody(x, upstream);
  // What the client sent early has waited.
  downstream.resumeRequest();
}

function onUpstreamData(x: Exchange, bytes: Buffer, start: number, end: number): void {
  touch(x);
  const { grpcWeb } = x;
  if (grpcWeb?.isHeld === true) return grpcWeb.keep(bytes, start, end);
  if (grpcWeb !== undefined) {
    if (!sendWhole(x, grpcWeb.encode(bytes.subarray(start, end)))) pauseUpstream(x);
    return;
  }
  x.responseBytes += end - start;
  if (!x.downstream.sendData(bytes, start, end)) pauseUpstream(x);
}

function pauseUpstream(x: Exchange): void {
  const { req, worker } = x;
  if (!x.isResponsePaused && req.cluster !== undefined) worker.live.cluster(req.cluster).readingPaused++;
  x.isResponsePaused = true;
  x.upstream?.pauseReading();
}

/** One half of what CONNECT made has ended; the other goes on until it ends, too, or nothing moves for too long. */
function onUpstreamHalfEnd(x: Exchange): void {
  x.hasUpstreamEnded = true;
  touch(x);
  x.downstream.endHalf();
}

function onUpstreamEnd(x: Exchange): void {
  const { upstream, body } = x;
  x.upstream = undefined;
  x.responsePhase = "ended";
  // An answer to a request that is still being sent: what is left of it must not be taken for the next request.
  if (!body.isSent) upstream?.cancel();
  body.detach();
  if (x.grpcWeb !== undefined) endGrpcWeb(x, x.grpcWeb);
  else if (x.responseTrailers !== undefined) x.downstream.sendTrailers(x.responseTrailers);
  if (!x.isRequestComplete && !x.isTunnel) x.downstream.leaveRestUnread();
  x.downstream.endResponse();
  finish(x, "upstream_response");
}

function sendWhole(x: Exchange, bytes: Buffer): boolean {
  x.responseBytes += bytes.length;
  return x.downstream.sendData(bytes, 0, bytes.length);
}

/** gRPC-Web has its trailers in the body, and an answer that was none of gRPC's becomes an error without one. */
function endGrpcWeb(x: Exchange, call: GrpcWebCall): void {
  if (call.isHeld) {
    call.release(x.status, x.responseHeaders);
    x.downstream.sendHead(x.status, x.responseHeaders, { kind: "length", bytes: 0 });
  } else if (x.responseTrailers !== undefined) sendWhole(x, call.trailers(x.responseTrailers));
}

/** The upstream takes bytes again. */
function onUpstreamDrain(x: Exchange): void {
  touch(x);
  x.body.onDrain();
  releaseRequestPressure(x);
}

/** The client takes bytes again. */
export function onDownstreamDrain(x: Exchange): void {
  if (!x.isActive) return;
  touch(x);
  const { req, worker } = x;
  if (x.isResponsePaused && req.cluster !== undefined) worker.live.cluster(req.cluster).readingResumed++;
  x.isResponsePaused = false;
  x.upstream?.resumeReading();
}

/** An attempt broke off: it is retried, becomes an error response, or breaks off the response that has begun. */
function onUpstreamFailure(x: Exchange, failure: ExchangeFailure): void {
  if (!x.isActive) return;
  noteUpstream(x);
  x.upstream = undefined;
  x.hasAttemptFailed = true;
  x.body.detach();
  x.transportFailure = failure.transportFailure;
  if (failure.bytesWritten > 0) x.mayHaveReachedApplication = true;
  const { worker, req } = x;
  const now = worker.timers.now();
  if (!canRepeat(x)) forbidRetries(x);
  afterFailure(worker.live, req, failure, worker.random, worker.action);
  if (worker.action.kind === "retry") retryAfter(x, now, worker.action.delayMs);
  else respond(x);
}

/** A second attempt must send byte for byte what the first did. */
function canRepeat(x: Exchange): boolean {
  return x.body.receivedBytes === 0 || x.body.isReplayable;
}

/** No condition holds any more, whatever the policy says. */
function forbidRetries(x: Exchange): void {
  if (x.req.retryConditions === 0) return;
  x.req.retryConditions = 0;
  x.req.canRetry = false;
  x.chain.stats.retriesAbandoned.add(1);
}

function retryAfter(x: Exchange, now: number, delayMs: number): void {
  const { deadlines } = x.downstream;
  deadlines.clear(deadline.attempt);
  deadlines.clear(deadline.attemptIdle);
  x.stage = stageAttempt;
  if (delayMs > 0) deadlines.set(deadline.backOff, now, delayMs);
  else run(x);
}

/** Leaves the current attempt: nothing of it is heard any more. The engine ends its accounting. */
function endAttempt(x: Exchange): void {
  const { upstream } = x;
  x.upstream = undefined;
  x.body.detach();
  upstream?.cancel();
}

// What time and the client do --------------------------------------------------------------------

/** A deadline of this request has passed. */
export function onDeadline(x: Exchange, which: Deadline): void {
  if (!x.isActive) return;
  switch (which) {
    case deadline.fault:
    case deadline.backOff:
      return run(x);
    case deadline.response:
      x.worker.metrics.cluster(x.req.clusterName).timeouts.add(1);
      return onTimeout(x, "request");
    case deadline.attempt:
      x.worker.metrics.cluster(x.req.clusterName).perTryTimeouts.add(1);
      return onTimeout(x, "per-try");
    case deadline.attemptIdle:
      return onTimeout(x, "per-try-idle");
    case deadline.wholeRequest:
      x.chain.stats.requestTimeouts.add(1);
      return refuseLate(x, "request_body_timeout", 408);
    case deadline.streamDuration:
      x.chain.stats.agedStreams.add(1);
      return refuseLate(x, "stream_duration", x.isRequestComplete ? 504 : 408);
    case deadline.streamIdle:
      x.chain.stats.idleStreams.add(1);
      // 408 tells a client that it was too slow; 504 that we were (Envoy, HCM `stream_idle_timeout`).
      return refuseLate(x, "stream_idle_timeout", x.isRequestComplete ? 504 : 408);
    default:
      return;
  }
}

/** `reduce_timeouts` is active: a request on which nothing has moved for the reduced time is too late. */
export function reduceIdleTimeout(x: Exchange, nowMs: number): void {
  if (!x.isActive) return;
  const byMs = x.worker.load.reductionMs("HTTP_DOWNSTREAM_STREAM_IDLE", idleLimitMs(x));
  x.downstream.deadlines.shorten(deadline.streamIdle, nowMs, byMs);
}

/** The rest of a request that is too late is not waited for. */
function refuseLate(x: Exchange, code: ErrorCode, status: number): void {
  if (!x.isRequestComplete) x.downstream.closeAfterResponse();
  refuse(x, code, status);
}

function onTimeout(x: Exchange, which: "request" | "per-try" | "per-try-idle"): void {
  const { worker, req, upstream } = x;
  noteUpstream(x);
  if (upstream !== undefined && upstream.bytesWritten > 0) x.mayHaveReachedApplication = true;
  endAttempt(x);
  const now = worker.timers.now();
  if (!canRepeat(x)) forbidRetries(x);
  afterTimeout(worker.live, req, which, worker.random, worker.action);
  if (worker.action.kind === "retry") retryAfter(x, now, worker.action.delayMs);
  else respond(x);
}

/** The client is gone, or has broken the protocol after its request was accepted: nobody waits for the response. */
export function onDownstreamClosed(x: Exchange): void {
  if (!x.isActive) return;
  noteUpstream(x);
  endAttempt(x);
  x.code = "downstream_closed";
  if (x.responsePhase === "none") x.req.details = "downstream_remote_disconnect";
  x.req.addFlag("DC");
  x.chain.stats.remoteDisconnects.add(1);
  finish(x, "downstream_closed");
}

/** `reset_high_memory_stream` has ended it. Its statistic and flag are Envoy's. */
export function onOverloadReset(x: Exchange): void {
  if (!x.isActive) return;
  noteUpstream(x);
  endAttempt(x);
  x.code = "overloaded";
  x.req.details = errorEntry(x.code).details;
  x.req.addFlag("OM");
  x.chain.stats.remoteDisconnects.add(1);
  finish(x, x.wasAnsweredByUpstream ? "upstream_aborted" : "local_aborted");
}

/** The proxy ends and cannot wait any longer. */
export function onDrainDeadline(x: Exchange): void {
  if (!x.isActive) return;
  noteUpstream(x);
  x.downstream.closeAfterResponse();
  refuse(x, "draining");
}

/** What cannot be read as a request, or came too slowly to be one, is counted and answered like one. */
export function onUnreadableRequest(x: Exchange, code: ErrorCode, status: number, details: string): void {
  beginUnread(x);
  x.chain.stats.protocolErrors.add(1);
  x.downstream.closeAfterResponse();
  const { action } = x.worker;
  action.respond(x.req, code);
  action.status = status;
  if (details !== "") action.withDetails(x.req, details);
  respond(x);
}

/** Nothing more of what the client sends is read (Envoy's load shed point `http1_server_abort_dispatch`); that is counted and answered like a request. */
export function onDispatchAborted(x: Exchange): void {
  beginUnread(x);
  x.chain.stats.requestsShed.add(1);
  x.downstream.closeAfterResponse();
  const { action } = x.worker;
  action.respond(x.req, "overloaded");
  action.status = 500;
  action.body = "Internal Server Error";
  action.withDetails(x.req, "overload");
  respond(x);
}

/** Begins a request of which nothing is known, where none is in progress. */
function beginUnread(x: Exchange): void {
  if (x.isActive) return;
  x.isActive = true;
  x.startedAtMs = x.worker.timers.now();
  x.startedAtWallMs = Date.now();
  x.req.begin("", "", "", "", new HeaderList(), x.downstream.view);
  x.req.hcm = x.chain.hcm;
  count(x);
}

// Small things -----------------------------------------------------------------------------------

function goOnOrRespond(x: Exchange): Step {
  if (x.worker.action.kind !== "respond") return "on";
  respond(x);
  return "over";
}

function refuse(x: Exchange, code: ErrorCode, status?: number): Step {
  const { action } = x.worker;
  action.respond(x.req, code);
  if (status !== undefined) action.status = status;
  respond(x);
  return "over";
}

/** Something moved: the time without progress begins anew. To the hundredth of a second, since it happens with every piece. */
function touch(x: Exchange): void {
  const { deadlines } = x.downstream;
  const now = x.worker.timers.recent;
  deadlines.set(deadline.streamIdle, now, idleLimitMs(x));
  if (deadlines.isSet(deadline.attemptIdle)) deadlines.set(deadline.attemptIdle, now, x.req.perTryIdleTimeoutMs);
}

/**
 * The route's, or the listener's. Who has closed its half of a tunnel may be gone altogether, which shows only when it is
 * written to: then the other side, while it says nothing, is not waited for without end. A client for whom bytes wait has as long as any that takes nothing.
 */
function idleLimitMs({ req, isTunnel, isRequestComplete, hasUpstreamEnded, downstream, chain }: Exchange): number {
  const isHalf = isTunnel && (isRequestComplete || hasUpstreamEnded);
  if (!isHalf || req.idleTimeoutMs !== 0) return req.idleTimeoutMs;
  return downstream.queuedBytes > 0 ? stalledGraceMs(chain) : halfTunnelIdleMs;
}
const halfTunnelIdleMs = 60_000;

function releaseRequestPressure(x: Exchange): void {
  if (!x.isRequestPaused || x.body.unsentBytes > x.chain.bufferBytes / 2) return;
  x.isRequestPaused = false;
  x.chain.stats.resumedReading.add(1);
  x.downstream.resumeRequest();
}

/** For log and metrics: who answered or failed. The exchange may be gone when they are written. */
function noteUpstream(x: Exchange): void {
  x.upstreamConnection = x.upstream?.connection ?? x.upstreamConnection;
}

/** What an exchange tells of its upstream. */
export const upstreamEvents: UpstreamEvents = {
  onConnected: onUpstreamConnected,
  onInformational: onUpstreamInformational,
  onHead: onUpstreamHead,
  onData: onUpstreamData,
  onHalfEnd: onUpstreamHalfEnd,
  onEnd: onUpstreamEnd,
  onDrain: onUpstreamDrain,
  onFailure: onUpstreamFailure,
};
