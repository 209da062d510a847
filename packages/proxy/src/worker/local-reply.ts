import { type ErrorCode, errorEntry } from "@heddle/core";
import { unprocessed, unprocessedHeader, writeLocalResponse } from "@heddle/engine";
import type { Exchange } from "./exchange.ts";
import { finish } from "./finish.ts";

/**
 * The one place where the mesh answers by itself: errors, denials, faults, redirects and direct responses, as the last step
 * left them in `worker.action`. When a response has begun already nothing can be said any more, and it is broken off.
 */
export function respond(x: Exchange): void {
  const { worker, req, downstream } = x;
  const { action } = worker;
  x.code = action.code;
  const { upstream } = x;
  x.upstream = undefined;
  x.body.detach();
  upstream?.cancel();
  if (x.responsePhase !== "none" || action.status === 0) {
    x.responsePhase = "ended";
    downstream.abortResponse();
    finish(x, x.wasAnsweredByUpstream ? "upstream_aborted" : "local_aborted");
    return;
  }
  const headers = x.responseHeaders;
  writeLocalResponse(req, action, headers);
  // Read only now: for gRPC callers the error has become headers.
  const { status } = action;
  const body = Buffer.from(action.body, "utf8");
  worker.date.addTo(headers);
  const word = wordForPeer(x);
  if (word !== undefined) headers.set(unprocessedHeader, word);
  if (!x.isRequestComplete) downstream.leaveRestUnread();
  x.status = status;
  x.responsePhase = "ended";
  const hasBody = req.method !== "HEAD" && status !== 204 && status !== 304;
  if (hasBody) downstream.sendHead(status, headers, { kind: "length", bytes: body.length });
  else {
    if (status !== 204) headers.set("content-length", String(body.length));
    downstream.sendHead(status, headers, { kind: "none" });
  }
  if (hasBody && body.length > 0) {
    x.responseBytes = body.length;
    downstream.sendData(body, 0, body.length);
  }
  downstream.endResponse();
  finish(x, "local_response");
}

/**
 * What to tell our peer of a request that the application did not answer, so that it may try another endpoint: whatever the
 * method when the application cannot have seen it, else as after a reset of its own connection (design §5, "Retries"). Only
 * an inbound proxy knows, and only peers in the mesh are told.
 */
function wordForPeer(x: Exchange): string | undefined {
  if (x.chain.direction !== "inbound" || x.downstream.view.peer === undefined || x.code === "") return undefined;
  if (x.mayHaveReachedApplication) return errorEntry(x.code).flag === "UC" ? unprocessed.lost : undefined;
  return isUpstreamsFault(x.code) ? unprocessed.never : undefined;
}

/** Denials and bad requests would be the same elsewhere; a missing or refusing application would not. */
function isUpstreamsFault(code: ErrorCode): boolean {
  return errorEntry(code).source === "upstream" || code === "draining" || code === "overloaded";
}
