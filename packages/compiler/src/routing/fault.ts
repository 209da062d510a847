import type { FaultDelay, HttpFault } from "@heddle/api";
import { parseDuration } from "@heddle/core";
import { HTTPFaultSchema, packAny } from "@heddle/xds/api";
import { duration, extension } from "../wire.ts";
import { fractionOf } from "./fraction.ts";

export const faultFilterName = "envoy.filters.http.fault";

/** The filter of a listener, without a fault of its own: routes carry theirs. */
export function compileFaultFilter() {
  return faultFilter;
}

const faultFilter = extension(faultFilterName, HTTPFaultSchema, {});

/**
 * The fault filter's settings for one route. A part without `percentage` never happens, as in Istio.
 *
 * The filter stands before the router, which owns retries and timeouts: an injected abort is not retried, and an injected delay does
 * not count against the route's timeout (istio.md 4.4). Requests that the fault passes over keep both.
 */
export function compileFault(fault: HttpFault) {
  const { delay, abort } = fault;
  return packAny(HTTPFaultSchema, {
    ...(delay === undefined ? {} : { delay: compileDelay(delay) }),
    ...(abort === undefined
      ? {}
      : {
          abort: {
            errorType: { case: "httpStatus" as const, value: abort.httpStatus },
            percentage: fractionOf(abort.percentage?.value ?? 0),
          },
        }),
  });
}

function compileDelay(delay: FaultDelay) {
  return {
    faultDelaySecifier: { case: "fixedDelay" as const, value: duration(parseDuration(delay.fixedDelay) ?? 0) },
    percentage: fractionOf(delay.percentage?.value ?? 0),
  };
}
