import type { RequestHead } from "@heddle/http";
import { deadline } from "./deadlines.ts";
import type { Exchange } from "./exchange.ts";

/** A short rest of a known length is read and thrown away; for anything else the connection is not worth keeping. */
export function leaveRestUnread(x: Exchange): void {
  const { head, body, downstream } = x;
  const restBytes = lengthOf(head) - body.receivedBytes;
  // A client that waits for 100 may now send its body or not: nobody can tell where its next request begins.
  const isWaiting = head?.expectContinue === true && !x.isBodyWanted && body.receivedBytes === 0;
  if (restBytes > x.chain.bufferBytes || restBytes > maxDiscardedBytes || isWaiting) downstream.closeAfterResponse();
  else {
    downstream.deadlines.set(deadline.idle, x.worker.timers.now(), x.chain.hcm.config.idleTimeoutMs);
    if (!x.isRequestPaused) return;
    x.isRequestPaused = false;
    x.chain.stats.resumedReading.add(1);
    downstream.resumeRequest();
  }
}
const maxDiscardedBytes = 65_536;

function lengthOf(head: RequestHead | undefined): number {
  if (head === undefined || head.bodyKind === "chunked") return Number.POSITIVE_INFINITY;
  return head.bodyKind === "none" ? 0 : head.contentLength;
}
