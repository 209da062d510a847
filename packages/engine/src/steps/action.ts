import type { ErrorCode, ResponseFlag } from "@heddle/core";
import type { BoundEndpoint, BoundMirror, BoundRbacPolicy } from "../bind/types.ts";

/**
 * What to do next; one object per worker, overwritten by every step.
 * - `proceed`: go on to the next step (prepareRequest), or pass the response on (afterResponseHead).
 * - `respond`: answer with `status`, `body`; {@link writeLocalResponse} writes the head.
 * - `delay`: wait `delayMs`, then `afterDelay`.
 * - `forward`: call `chooseEndpoint`; `mirrors` are to be sent besides.
 * - `connect`: open an exchange with `endpoint` of `req.cluster`.
 * - `retry`: wait `delayMs`, then `chooseEndpoint` again.
 */
export declare class Action {
  kind: "proceed" | "respond" | "delay" | "forward" | "connect" | "retry";
  code: ErrorCode | "";
  status: number;
  body: string;
  /** Envoy's response code details. */
  details: string;
  /** Already among `req.flags`; here for who wants only this decision's. */
  flag: ResponseFlag | "";
  /** For redirects. */
  location: string;
  policy: BoundRbacPolicy | undefined;
  delayMs: number;
  endpoint: BoundEndpoint | undefined;
  /** Clusters to copy the request to; the list is reused. */
  readonly mirrors: BoundMirror[];
}
