import { HttpInspectorSchema, TlsInspectorSchema } from "@heddle/xds/api";
import { duration, extension } from "../wire.ts";

/**
 * How long a client may be silent on a port of which nobody said what it carries. Then the server may have to speak first: the connection is opaque, and
 * policy for TCP holds (design §5), so that nobody waits his way around a rule for HTTP.
 */
const detectionTimeoutMs = 100;

export const tlsInspector = extension("envoy.filters.listener.tls_inspector", TlsInspectorSchema, {});
export const httpInspector = extension("envoy.filters.listener.http_inspector", HttpInspectorSchema, {});

/** What the HTTP inspector calls HTTP/1. HTTP/2 without TLS is relayed as it is, since an application that is asked by HTTP/1.1 may not speak it. */
export const plaintextHttp = {
  // Said, so that Envoy adds no TLS inspector.
  transportProtocol: "raw_buffer",
  applicationProtocols: ["http/1.0", "http/1.1"],
};

/** The listener filters that look, and what becomes of who keeps them waiting. */
export function detection(inspectors: readonly (typeof tlsInspector)[]) {
  return {
    listenerFilters: [...inspectors],
    listenerFiltersTimeout: duration(detectionTimeoutMs),
    continueOnListenerFiltersTimeout: true,
  };
}
