import { errorEntry, grpcStatusOfHttp } from "@heddle/core";
import type { MutableHeaders } from "../bind/headers.ts";
import type { Action } from "./action.ts";
import { appendToList } from "./forwarded-for.ts";
import { encodeGrpcMessage, grpcWebContentType } from "./grpc-web.ts";
import type { RequestRecord } from "./request-record.ts";

/** By this an endpoint that is checked takes itself out at once (Envoy). */
export const immediateFailureHeader = "x-envoy-immediate-health-check-fail";

/** An upstream's headers made ready for the caller: the router's own, the route's mutations, the connection manager's. */
export function finishResponseHead(req: RequestRecord, headers: MutableHeaders, upstreamServiceTimeMs: number): void {
  headers.remove(immediateFailureHeader);
  if (req.hcm?.suppressEnvoyHeaders === false) {
    headers.set("x-envoy-upstream-service-time", String(Math.max(0, Math.round(upstreamServiceTimeMs))));
  }
  setAttemptCount(req, headers);
  applyRouteMutations(req, headers);
  finishForConnectionManager(req, headers, false);
}

function setAttemptCount(req: RequestRecord, headers: MutableHeaders): void {
  if (req.virtualHost?.config.includeAttemptCountInResponse === true && req.attempt > 0) {
    headers.set("x-envoy-attempt-count", String(req.attempt));
  }
}

function applyRouteMutations(req: RequestRecord, headers: MutableHeaders): void {
  req.weighted?.responseHeaders.apply(headers, req, headers);
  const { route } = req;
  if (route !== undefined && !route.responseHeaders.isEmpty) route.responseHeaders.apply(headers, req, headers);
}

function finishForConnectionManager(req: RequestRecord, headers: MutableHeaders, isLocal: boolean): void {
  const config = req.hcm?.config;
  if (config === undefined) return;
  if (
    config.serverHeader === "overwrite" ||
    (!headers.has("server") && (isLocal || config.serverHeader === "append-if-absent"))
  ) {
    headers.set("server", config.serverName);
  }
  if (config.via !== "") appendToList(headers, "via", config.via);
  if (config.alwaysSetRequestIdInResponse && req.requestId !== "") headers.set("x-request-id", req.requestId);
}

/**
 * The headers of a response made here (`out.kind` is `respond`). For gRPC callers the answer becomes a trailers-only
 * response: `out.status` is then 200 and `out.body` empty. The proxy adds framing and `date`.
 */
export function writeLocalResponse(req: RequestRecord, out: Action, headers: MutableHeaders): void {
  const isRouteAnswer = (out.code === "redirect" || out.code === "direct_response") && req.route !== undefined;
  if (out.location !== "") headers.set("location", out.location);
  if (out.code === "overflow" && req.hcm?.suppressEnvoyHeaders === false) headers.set("x-envoy-overloaded", "true");
  if (req.isGrpc) {
    const form = req.grpcWebResponse;
    headers.set("content-type", form === "" ? "application/grpc" : grpcWebContentType(form));
    headers.set("grpc-status", String(grpcStatusFor(out)));
    if (out.body !== "") headers.set("grpc-message", encodeGrpcMessage(out.body));
    out.status = 200;
    out.body = "";
  } else if (out.body !== "") {
    headers.set("content-type", "text/plain");
  }
  setAttemptCount(req, headers);
  if (isRouteAnswer) applyRouteMutations(req, headers);
  finishForConnectionManager(req, headers, true);
}

function grpcStatusFor(out: Action): number {
  if (out.code === "") return grpcStatusOfHttp(out.status);
  const entry = errorEntry(out.code);
  // Whatever the HTTP status is (Envoy, `ActiveStream::onStreamMaxDurationReached`).
  if (out.code === "stream_duration") return entry.grpcStatus;
  return entry.httpStatus === out.status ? entry.grpcStatus : grpcStatusOfHttp(out.status);
}
