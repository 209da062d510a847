import { emptyList, type ErrorCode, errorEntry, type ResponseFlag } from "@heddle/core";
import type { BoundEndpoint, BoundMirror, BoundRbacPolicy } from "../bind/types.ts";
import type { RequestRecord } from "./request-record.ts";

/**
 * What to do next.
 * - `proceed`: go on to the next step (prepareRequest), or pass the response on (afterResponseHead).
 * - `respond`: answer with `status` and `body`; `writeLocalResponse` writes the headers.
 * - `delay`: wait `delayMs`, then `afterDelay`.
 * - `forward`: call `chooseEndpoint`; `mirrors` are to be sent besides.
 * - `tunnel`: what follows is a connection of the listener `req.tunnelListener`.
 * - `connect`: open an exchange with `endpoint` of `req.cluster`.
 * - `retry`: wait `delayMs`, then `chooseEndpoint` again.
 * - `reset`: the response has begun and cannot be finished: reset the downstream stream.
 */
export type ActionKind = "proceed" | "respond" | "delay" | "forward" | "tunnel" | "connect" | "retry" | "reset";

/** The result of a step; one object per worker, overwritten by every step. */
export class Action {
  kind: ActionKind;
  code: ErrorCode | "";
  status: number;
  body: string;
  /** Envoy's response code details. */
  details: string;
  /** This decision's flag; `req.flags` holds all of them. */
  flag: ResponseFlag | "";
  /** For redirects. */
  location: string;
  /** The policy behind a denial. */
  policy: BoundRbacPolicy | undefined;
  delayMs: number;
  endpoint: BoundEndpoint | undefined;
  readonly mirrors: BoundMirror[];

  constructor() {
    this.kind = "proceed";
    this.code = "";
    this.status = 0;
    this.body = "";
    this.details = "";
    this.flag = "";
    this.location = "";
    this.policy = undefined;
    this.delayMs = 0;
    this.endpoint = undefined;
    this.mirrors = [];
  }

  reset(kind: ActionKind): void {
    this.kind = kind;
    this.code = "";
    this.status = 0;
    this.body = "";
    this.details = "";
    this.flag = "";
    this.location = "";
    this.policy = undefined;
    this.delayMs = 0;
    this.endpoint = undefined;
    emptyList(this.mirrors);
  }

  /** `respond` as the error table has it, noted in the request's flags and details. */
  respond(req: RequestRecord, code: ErrorCode): void {
    const entry = errorEntry(code);
    this.reset("respond");
    this.code = code;
    this.status = entry.httpStatus;
    this.body = entry.text;
    this.details = entry.details;
    this.flag = entry.flag;
    if (entry.flag !== "") req.addFlag(entry.flag);
    req.details = entry.details;
  }

  /** Replaces the details of a response just made. */
  withDetails(req: RequestRecord, details: string): void {
    this.details = details;
    req.details = details;
  }
}
