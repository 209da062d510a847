import type { KnownDifference } from "./compare.ts";

/**
 * Every difference between straight and through the proxy that is right, with its reason. The first that matches
 * `suite · way · case · difference` counts; one that a whole run does not meet is a failure, too, so that none outlives
 * its cause.
 */
export const knownDifferences: readonly KnownDifference[] = [
  {
    pattern: /^h2spec against Node · .* · fails straight, passes through$/,
    reason:
      "The proxy's own codec answers the client, as h2spec demands; Node's own (nghttp2) is more lenient or answers otherwise",
  },
  {
    pattern: / · cut off before the answer · /,
    reason:
      "A connection or stream that ends before the answer's head becomes 503 (Envoy's flag UC), after the retries that the policy allows for a GET; straight, the client sees the reset itself",
  },
  {
    pattern: / · answer field server added: envoy$/,
    reason: "`server_header_transformation` is OVERWRITE unless it is set, as in Envoy",
  },
  {
    pattern: / · answer field x-envoy-upstream-service-time added: /,
    reason: "The router says how long the server took, unless `suppress_envoy_headers` is set, as in Envoy",
  },
  {
    pattern: / · request x-request-id added: /,
    reason: "`generate_request_id` is on unless it is switched off, as in Envoy",
  },
  {
    pattern: / · request x-forwarded-proto added: /,
    reason: "The application behind a proxy learns what the client spoke, as in Envoy",
  },
  {
    pattern: / · request expect removed: 100-continue$/,
    reason:
      "The proxy answers 100-continue itself (RFC 9110 §10.1.1 lets it), as Envoy does without `proxy_100_continue`, and so has met the expectation",
  },
  {
    pattern: / · H2→H1 · .* · answer field content-length added: /,
    reason: "Node's HTTP/1.1 server, which is behind the proxy, writes a length that its HTTP/2 server leaves out",
  },
  {
    pattern: / · H2→H2 · .* · answer field content-length added: 0$/,
    reason: "An answer that ended with its head is told to be empty (RFC 9110 §8.6)",
  },
];
