import type { HTTPFault } from "@heddle/xds/api";
import type { FaultConfig } from "../config/fault.ts";
import { loadFraction } from "./core-types.ts";
import type { Loading, Path } from "./loading.ts";
import { loadHeaderMatch } from "./string-match.ts";

export function loadFault(fault: HTTPFault, at: Path, loading: Loading): FaultConfig {
  return {
    delay: loadDelay(fault, at.field("delay"), loading),
    abort: loadAbort(fault, at.field("abort"), loading),
    headers: fault.headers.map((matcher, index) => loadHeaderMatch(matcher, at.field("headers").index(index), loading)),
    upstreamCluster: fault.upstreamCluster,
    maxActiveFaults: fault.maxActiveFaults,
  };
}

function loadDelay(fault: HTTPFault, at: Path, loading: Loading): FaultConfig["delay"] {
  const { delay } = fault;
  if (delay === undefined) return undefined;
  const specifier = delay.faultDelaySecifier;
  if (specifier.case === undefined) loading.problem(at, "the delay is empty", "give fixed_delay");
  const fixedMs = specifier.case === "fixedDelay" ? loading.duration(specifier.value, at.field("fixed_delay"), 0) : 1;
  if (fixedMs === 0) loading.problem(at.field("fixed_delay"), "the delay is zero", "give a delay above zero");
  return { fixedMs, fraction: loadFraction(delay.percentage) };
}

function loadAbort(fault: HTTPFault, at: Path, loading: Loading): FaultConfig["abort"] {
  const { abort } = fault;
  if (abort === undefined) return undefined;
  const type = abort.errorType;
  if (type.case === undefined) loading.problem(at, "the abort is empty", "give http_status");
  const httpStatus = type.case === "httpStatus" ? loading.range(type.value, at.field("http_status"), 200, 599) : 503;
  return { httpStatus, fraction: loadFraction(abort.percentage) };
}
