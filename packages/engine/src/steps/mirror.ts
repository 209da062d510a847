import type { MutableHeaders } from "../bind/headers.ts";
import { portStart } from "../bind/virtual-host-index.ts";
import type { BoundMirror } from "../bind/types.ts";
import type { RequestRecord } from "./request-record.ts";
import { serverNameOf } from "./server-name.ts";

/** Envoy marks mirrored requests by `-shadow` behind the host, before the port. */
function shadowAuthority(authority: string): string {
  const colon = portStart(authority);
  return colon === -1 ? `${authority}-shadow` : `${authority.slice(0, colon)}-shadow${authority.slice(colon)}`;
}

/**
 * Makes `copy` a request of its own for one of `out.mirrors`, after `req` was decided: same method, rewritten path and
 * headers (`headers` is the proxy's copy of them), no retries, its answer thrown away. It then goes through
 * `chooseEndpoint` and `finishRequest` like any other. False: there is no such cluster.
 */
export function prepareMirror(
  req: RequestRecord,
  mirror: BoundMirror,
  headers: MutableHeaders,
  copy: RequestRecord,
): boolean {
  const cluster = req.snapshot?.clusters.get(mirror.cluster);
  if (cluster === undefined) return false;
  const authority = mirror.appendShadowSuffix ? shadowAuthority(req.authority) : req.authority;
  copy.begin(req.method, req.path, authority, req.scheme, headers, req.connection);
  copy.hcm = req.hcm;
  copy.snapshot = req.snapshot;
  copy.decidedMs = req.decidedMs;
  copy.cluster = cluster;
  copy.clusterName = cluster.name;
  copy.serverName = serverNameOf(copy, cluster);
  copy.requestId = req.requestId;
  copy.remoteHost = req.remoteHost;
  copy.remotePort = req.remotePort;
  copy.isGrpc = req.isGrpc;
  copy.timeoutMs = req.timeoutMs;
  return true;
}
