import type { RandomSource } from "@heddle/core";
import type { BoundFault } from "../bind/fault.ts";
import { allHeadersMatch } from "../bind/header-matcher.ts";
import type { Action } from "./action.ts";
import type { DecisionTrace } from "./decision-trace.ts";
import type { LiveState } from "./live-state.ts";
import type { RequestRecord } from "./request-record.ts";

function isConcerned(fault: BoundFault, live: LiveState, req: RequestRecord): boolean {
  const { upstreamCluster, maxActiveFaults } = fault.config;
  if (upstreamCluster !== "" && upstreamCluster !== req.clusterName) return false;
  if (fault.headers.length > 0 && !allHeadersMatch(fault.headers, req)) return false;
  return maxActiveFaults === undefined || live.activeFaults < maxActiveFaults;
}

function holdFault(live: LiveState, req: RequestRecord): void {
  if (req.holdsFault) return;
  req.holdsFault = true;
  live.activeFaults++;
}

/** Whether `share` is hit; no number is drawn for 0 and 1. */
function isHit(share: number, random: RandomSource): boolean {
  return share > 0 && (share >= 1 || random() < share);
}

/** The fault filter: true to go on; false with `delay` or the abort in `out`. An abort may follow a delay. */
export function injectFault(
  fault: BoundFault,
  live: LiveState,
  req: RequestRecord,
  random: RandomSource,
  out: Action,
  trace: DecisionTrace | undefined,
): boolean {
  if (!isConcerned(fault, live, req)) return true;
  if (fault.delayMs > 0 && isHit(fault.delayShare, random)) {
    holdFault(live, req);
    req.addFlag("DI");
    out.reset("delay");
    out.delayMs = fault.delayMs;
    out.code = "fault_delay";
    out.flag = "DI";
    trace?.add({
      kind: "fault",
      name: "delay",
      matched: true,
      why: `delayed by ${fault.delayMs} ms`,
      provenance: req.route?.provenance,
    });
    return false;
  }
  return injectAbort(fault, live, req, random, out, trace);
}

/** The second half, also after a delay. */
export function injectAbort(
  fault: BoundFault,
  live: LiveState,
  req: RequestRecord,
  random: RandomSource,
  out: Action,
  trace: DecisionTrace | undefined,
): boolean {
  if (fault.abortStatus === 0 || !isHit(fault.abortShare, random)) return true;
  holdFault(live, req);
  out.respond(req, "fault_abort");
  out.status = fault.abortStatus;
  req.decidedBy = req.route?.provenance;
  trace?.add({
    kind: "fault",
    name: "abort",
    matched: true,
    why: `aborted with ${fault.abortStatus}`,
    provenance: req.route?.provenance,
  });
  return false;
}
