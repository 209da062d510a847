import type { RequestHead } from "@heddle/http";
import type { Downstream, Exchange } from "./exchange.ts";

// What log and tap say of a request.

/** Response code details. */
export function detailsOf({ req, wasAnsweredByUpstream }: Exchange): string {
  return req.details !== "" ? req.details : wasAnsweredByUpstream ? "via_upstream" : "";
}

/** The resource by which the mesh answered itself: `AuthorizationPolicy shop/deny rule[0]`; empty: it did not. */
export function decidedByOf({ req, wasAnsweredByUpstream }: Exchange): string {
  const decidedBy = wasAnsweredByUpstream ? undefined : req.decidedBy;
  if (decidedBy === undefined) return "";
  const { kind, namespace, name, rule } = decidedBy;
  return `${kind} ${namespace}/${name}${rule === undefined ? "" : ` ${rule}`}`;
}

/** As in Envoy's `%PROTOCOL%`. */
export function protocolOf({ httpVersion }: Downstream, head: RequestHead | undefined): string {
  if (httpVersion === 2) return "HTTP/2";
  if (head === undefined) return "";
  return head.versionMinor === 0 ? "HTTP/1.0" : "HTTP/1.1";
}
