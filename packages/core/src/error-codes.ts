/** Where the cause lies: the caller, the callee, the mesh itself, what an operator wrote, or a policy that says no. */
export type ErrorSource = "downstream" | "upstream" | "internal" | "config" | "policy";

/**
 * Whether the failure may be retried without the user's own `retryOn`: "always" when the request cannot have reached an
 * application, "reused" only when the connection had carried another request before (it may have been closed while idle).
 */
export type RetryRule = "never" | "always" | "reused";

/** Envoy's response flags (%RESPONSE_FLAGS%), the short form. */
export type ResponseFlag =
  | "UH"
  | "UF"
  | "UO"
  | "UC"
  | "UR"
  | "UT"
  | "URX"
  | "NR"
  | "NC"
  | "DC"
  | "LR"
  | "LH"
  | "DI"
  | "FI"
  | "RL"
  | "UAEX"
  | "IH"
  | "SI"
  | "DT"
  | "DPE"
  | "UPE"
  | "UMSDR"
  | "OM"
  | "DF"
  | "DR";

export interface ErrorEntry {
  readonly source: ErrorSource;
  readonly retry: RetryRule;
  /** Status of the response that the mesh makes; 0 when it makes none. */
  readonly httpStatus: number;
  /** grpc-status for gRPC callers, by Envoy's mapping from HTTP status; 0 when no response is made. */
  readonly grpcStatus: number;
  readonly flag: ResponseFlag | "";
  /** Envoy's %RESPONSE_CODE_DETAILS%; "" where no response is made. */
  readonly details: string;
  /** Body of the response, as Envoy's where Envoy has one; for codes without a response, the text of the log line. */
  readonly text: string;
  /** What an operator should look at first. */
  readonly hint: string;
}

/**
 * Every failure that the mesh names, once. Responses, logs, metrics and the page docs/reference/error-codes.md are made from it
 * (`scripts/generate-error-codes.ts`). Texts, flags and details follow Envoy, so that runbooks and alerts keep working.
 */
export const errorCodes = {
  // Routing: nothing was sent anywhere.
  no_route: {
    source: "config",
    retry: "never",
    httpStatus: 404,
    grpcStatus: 12,
    flag: "NR",
    details: "route_not_found",
    text: "",
    hint: "No virtual host or route matches this authority and path: compare them with the VirtualService with `heddle explain`.",
  },
  no_cluster: {
    source: "config",
    retry: "never",
    httpStatus: 503,
    grpcStatus: 14,
    flag: "NC",
    details: "cluster_not_found",
    text: "",
    hint: "The route names a destination that this proxy does not have: look for a host or subset without service or DestinationRule.",
  },
  no_filter_chain: {
    source: "config",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "NR",
    details: "filter_chain_not_found",
    text: "no filter chain matches the connection",
    hint: "The connection's port, SNI, ALPN or transport matches no filter chain: a plaintext client under STRICT mutual TLS looks like this.",
  },
  direct_response: {
    source: "config",
    retry: "never",
    httpStatus: 200,
    grpcStatus: 2,
    flag: "",
    details: "direct_response",
    text: "",
    hint: "The route answers by itself (directResponse); status and body are the route's.",
  },
  redirect: {
    source: "config",
    retry: "never",
    httpStatus: 301,
    grpcStatus: 2,
    flag: "",
    details: "direct_response",
    text: "",
    hint: "The route redirects; status and location are the route's.",
  },

  // Upstream: the endpoint, or the way to it.
  no_healthy_upstream: {
    source: "upstream",
    retry: "never",
    httpStatus: 503,
    grpcStatus: 14,
    flag: "UH",
    details: "no_healthy_upstream",
    text: "no healthy upstream",
    hint: "The destination has no ready endpoint: check that its workload runs and is ready, and that the subset's labels match it.",
  },
  dns_failed: {
    source: "upstream",
    retry: "never",
    httpStatus: 503,
    grpcStatus: 14,
    flag: "DF",
    details: "dns_resolution_failure",
    text: "upstream connect error or disconnect/reset before headers. reset reason: DNS resolution failure",
    hint: "The destination's host name does not resolve: try to resolve it where the proxy runs.",
  },
  overflow: {
    source: "upstream",
    retry: "never",
    httpStatus: 503,
    grpcStatus: 14,
    flag: "UO",
    details: "upstream_reset_before_response_started{overflow}",
    text: "upstream connect error or disconnect/reset before headers. reset reason: overflow",
    hint: "A connection pool limit was reached (DestinationRule connectionPool, or the circuit breakers): raise it, or add replicas.",
  },
  upstream_connect_failed: {
    source: "upstream",
    retry: "always",
    httpStatus: 503,
    grpcStatus: 14,
    flag: "UF",
    details: "upstream_reset_before_response_started{remote_connection_failure}",
    text: "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure",
    hint: "The endpoint refused or dropped the connection: check that the workload listens on its port and that nothing blocks the way.",
  },
  upstream_connect_timeout: {
    source: "upstream",
    retry: "always",
    httpStatus: 503,
    grpcStatus: 14,
    flag: "UF",
    details: "upstream_reset_before_response_started{connection_timeout}",
    text: "upstream connect error or disconnect/reset before headers. reset reason: connection timeout",
    hint: "The endpoint did not accept in time (connectTimeout): a silent firewall or an overloaded host looks like this.",
  },
  upstream_tls_failed: {
    source: "upstream",
    retry: "always",
    httpStatus: 503,
    grpcStatus: 14,
    flag: "UF",
    details: "upstream_reset_before_response_started{remote_connection_failure|TLS_error}",
    text: "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure, transport failure reason: TLS error",
    hint: "The TLS handshake with the endpoint failed: the peer may speak plaintext, or one side does not trust the other's certificate.",
  },
  upstream_peer_rejected: {
    source: "upstream",
    retry: "always",
    httpStatus: 503,
    grpcStatus: 14,
    flag: "UF",
    details: "upstream_reset_before_response_started{remote_connection_failure|TLS_error}",
    text: "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure, transport failure reason: TLS error: certificate verify failed: SAN matcher",
    hint: "The endpoint's identity is not one that this destination may have: compare its service account with the expected ones.",
  },
  upstream_reset: {
    source: "upstream",
    retry: "reused",
    httpStatus: 503,
    grpcStatus: 14,
    flag: "UC",
    details: "upstream_reset_before_response_started{connection_termination}",
    text: "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
    hint: "The endpoint closed the connection before it answered: it crashed, was stopped, or closes idle connections earlier than the proxy.",
  },
  upstream_remote_reset: {
    source: "upstream",
    retry: "never",
    httpStatus: 503,
    grpcStatus: 14,
    flag: "UR",
    details: "upstream_reset_before_response_started{remote_reset}",
    text: "upstream connect error or disconnect/reset before headers. reset reason: remote reset",
    hint: "The endpoint reset this request: look at its own log.",
  },
  upstream_refused: {
    source: "upstream",
    retry: "always",
    httpStatus: 503,
    grpcStatus: 14,
    flag: "UR",
    details: "upstream_reset_before_response_started{remote_refused_stream_reset}",
    text: "upstream connect error or disconnect/reset before headers. reset reason: remote refused stream reset",
    hint: "The endpoint's side said that it never began this request (REFUSED_STREAM, a refused CONNECT, heddle-unprocessed).",
  },
  upstream_protocol_error: {
    source: "upstream",
    retry: "never",
    httpStatus: 502,
    grpcStatus: 14,
    flag: "UPE",
    details: "upstream_reset_before_response_started{protocol_error}",
    text: "upstream connect error or disconnect/reset before headers. reset reason: protocol error",
    hint: "The endpoint's answer is not valid HTTP: the port may speak another protocol, or its headers exceed the limits.",
  },
  upstream_reset_mid_response: {
    source: "upstream",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "UC",
    details: "upstream_reset_after_response_started{connection_termination}",
    text: "the upstream ended within its response",
    hint: "The endpoint closed within its answer, so the caller's connection was closed too: look at the endpoint's own log.",
  },
  upstream_protocol_error_mid_response: {
    source: "upstream",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "UPE",
    details: "upstream_reset_after_response_started{protocol_error}",
    text: "the upstream's response body is malformed",
    hint: "The endpoint's answer became invalid HTTP after its headers (chunk framing, trailers), so the caller's connection was closed too.",
  },
  request_timeout: {
    source: "upstream",
    retry: "never",
    httpStatus: 504,
    grpcStatus: 14,
    flag: "UT",
    details: "response_timeout",
    text: "upstream request timeout",
    hint: "The route's timeout passed before the whole answer came: the VirtualService's timeout, retries included.",
  },
  per_try_timeout: {
    source: "upstream",
    retry: "never",
    httpStatus: 504,
    grpcStatus: 14,
    flag: "UT",
    details: "upstream_per_try_timeout",
    text: "upstream request timeout",
    hint: "The last attempt took longer than perTryTimeout.",
  },

  // Policy: refused on purpose.
  rbac_denied: {
    source: "policy",
    retry: "never",
    httpStatus: 403,
    grpcStatus: 7,
    flag: "",
    details: "rbac_access_denied_matched_policy[none]",
    text: "RBAC: access denied",
    hint: "An AuthorizationPolicy refused it; the details name the policy and rule, [none] means that no ALLOW policy matched.",
  },
  policy_unreadable: {
    source: "policy",
    retry: "never",
    httpStatus: 403,
    grpcStatus: 7,
    flag: "",
    details: "rbac_access_denied_matched_policy[unreadable-policy]",
    text: "RBAC: access denied",
    hint: "A security policy could not be read or enforced, so what it selects is denied: `heddle validate` names file and line.",
  },
  fault_abort: {
    source: "policy",
    retry: "never",
    httpStatus: 503,
    grpcStatus: 14,
    flag: "FI",
    details: "fault_filter_abort",
    text: "fault filter abort",
    hint: "A fault injection of the route answered on purpose; the status is the fault's.",
  },
  fault_delay: {
    source: "policy",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "DI",
    details: "",
    text: "the request was delayed on purpose",
    hint: "A fault injection of the route delayed this request; the flag stands beside the outcome.",
  },

  // Downstream: what the caller did.
  downstream_closed: {
    source: "downstream",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "DC",
    details: "downstream_remote_disconnect",
    text: "the client disconnected before its request ended",
    hint: "The caller went away: its own timeout may be shorter than the answer takes.",
  },
  downstream_protocol_error: {
    source: "downstream",
    retry: "never",
    httpStatus: 400,
    grpcStatus: 13,
    flag: "DPE",
    details: "http1.codec_error",
    text: "Bad Request",
    hint: "The request is not valid HTTP/1.1 and was not forwarded; the details name the rule that it breaks.",
  },
  transfer_coding_unsupported: {
    source: "downstream",
    retry: "never",
    httpStatus: 501,
    grpcStatus: 2,
    flag: "DPE",
    details: "http1.invalid_transfer_encoding",
    text: "Not Implemented",
    hint: 'Only the transfer coding "chunked" is understood (RFC 9112 section 6.1); send compressed bodies with content-encoding.',
  },
  http_version_unsupported: {
    source: "downstream",
    retry: "never",
    httpStatus: 505,
    grpcStatus: 2,
    flag: "DPE",
    details: "http1.invalid_version",
    text: "HTTP Version Not Supported",
    hint: "The request line names a version other than HTTP/1.0 and HTTP/1.1.",
  },
  http10_refused: {
    source: "downstream",
    retry: "never",
    httpStatus: 426,
    grpcStatus: 2,
    flag: "DPE",
    details: "low_version",
    text: "Upgrade Required",
    hint: "HTTP/1.0 is not accepted here unless the listener sets accept_http_10.",
  },
  headers_too_large: {
    source: "downstream",
    retry: "never",
    httpStatus: 431,
    grpcStatus: 2,
    flag: "DPE",
    details: "http1.headers_too_large",
    text: "Request Header Fields Too Large",
    hint: "The request's head exceeds max_request_headers_kb (60 KiB) or 100 fields: look for a growing cookie.",
  },
  path_rejected: {
    source: "downstream",
    retry: "never",
    httpStatus: 400,
    grpcStatus: 13,
    flag: "",
    details: "path_normalization_failed",
    text: "Bad Request",
    hint: "The path cannot be normalised safely (escaped slashes or NUL, an escape above the root): see path_with_escaped_slashes_action.",
  },
  upgrade_refused: {
    source: "downstream",
    retry: "never",
    httpStatus: 403,
    grpcStatus: 7,
    flag: "",
    details: "upgrade_failed",
    text: "",
    hint: "The request asks for CONNECT, or for a protocol (Upgrade), that neither its route nor the listener names in upgrade_configs, or it has a body; with 502, a server of HTTP/1.1 answered an extended CONNECT without switching.",
  },
  path_redirected: {
    source: "downstream",
    retry: "never",
    httpStatus: 307,
    grpcStatus: 2,
    flag: "",
    details: "path_normalization_failed",
    text: "",
    hint: "The path held escaped slashes; the caller is sent to the unescaped form (UNESCAPE_AND_REDIRECT).",
  },
  header_underscore_rejected: {
    source: "downstream",
    retry: "never",
    httpStatus: 400,
    grpcStatus: 13,
    flag: "DPE",
    details: "http1.unexpected_underscore",
    text: "Bad Request",
    hint: "A header name holds an underscore and headers_with_underscores_action is REJECT_REQUEST.",
  },
  grpc_web_invalid: {
    source: "downstream",
    retry: "never",
    httpStatus: 400,
    grpcStatus: 13,
    flag: "",
    details: "grpc_base_64_decode_failed",
    text: "Bad gRPC-web request, invalid base64 data.",
    hint: "The body of a grpc-web-text request is no base64, or lacks its padding.",
  },
  request_headers_timeout: {
    source: "downstream",
    retry: "never",
    httpStatus: 408,
    grpcStatus: 2,
    flag: "",
    details: "request_header_timeout",
    text: "request header timeout",
    hint: "The caller began a request and did not finish its head in request_headers_timeout.",
  },
  request_body_timeout: {
    source: "downstream",
    retry: "never",
    httpStatus: 408,
    grpcStatus: 2,
    flag: "",
    details: "request_overall_timeout",
    text: "request timeout",
    hint: "The caller did not finish its request in request_timeout.",
  },
  stream_idle_timeout: {
    source: "downstream",
    retry: "never",
    httpStatus: 504,
    grpcStatus: 14,
    flag: "SI",
    details: "stream_idle_timeout",
    text: "stream timeout",
    hint: "Nothing moved on this request in either direction for stream_idle_timeout; 408 instead while the request was still being sent.",
  },
  stream_duration: {
    source: "downstream",
    retry: "never",
    httpStatus: 504,
    grpcStatus: 4,
    flag: "DT",
    details: "max_duration_timeout",
    text: "downstream duration timeout",
    hint: "The request lasted longer than max_stream_duration; 408 instead while it was still being sent.",
  },
  connection_duration: {
    source: "downstream",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "DT",
    details: "duration_timeout",
    text: "the connection reached its longest allowed duration",
    hint: "The TCP proxy's max_downstream_connection_duration closed the connection; callers reconnect.",
  },

  // Internal: the mesh itself.
  overloaded: {
    source: "internal",
    retry: "never",
    httpStatus: 503,
    grpcStatus: 14,
    flag: "OM",
    details: "overload",
    text: "envoy overloaded",
    hint: "The proxy protects itself from running out of memory or connections: raise its limits or add replicas.",
  },
  draining: {
    source: "internal",
    retry: "always",
    httpStatus: 503,
    grpcStatus: 14,
    flag: "LR",
    details: "local_reset",
    text: "draining",
    hint: "The proxy is stopping and its deadline passed with this request unfinished.",
  },
  internal_error: {
    source: "internal",
    retry: "never",
    httpStatus: 500,
    grpcStatus: 2,
    flag: "",
    details: "internal_error",
    text: "Internal Server Error",
    hint: "A defect in the proxy: the log has the stack; please report it.",
  },

  // Configuration and operation: said in logs, NACKs and by commands.
  config_unsupported_field: {
    source: "config",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "a field is set that this proxy does not support",
    hint: "Remove it or use what is supported instead; nothing is ever ignored in silence.",
  },
  config_invalid: {
    source: "config",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "the configuration is invalid",
    hint: "Correct the value at the given path.",
  },
  state_file_corrupt: {
    source: "internal",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "a state file is damaged",
    hint: "The file was moved aside and is rebuilt; keep the moved copy if you want to know what happened. The authority's, `ca/authority.state`, is not: the control plane refuses to start until a backup is in its place, or the moved copy is removed, since a new root cuts off every workload.",
  },
  state_file_newer: {
    source: "config",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "a state file was written by a newer version",
    hint: "Run the version that wrote it; or move the state folder (`.heddle` beside the resources, or what --state-dir names) away, and the next start makes keys and everything else in it anew.",
  },
  port_in_use: {
    source: "config",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "the port is already in use",
    hint: "Stop the process that listens there, or choose another port.",
  },
  command_missing: {
    source: "config",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "the workload's command cannot be started",
    hint: "Install the program, or correct `command` or `workingDir`: a name without a slash is looked for in PATH.",
  },

  // Identity.
  identity_missing: {
    source: "internal",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "this proxy has no certificate yet",
    hint: "The certificate authority has not answered: check that the control plane runs and that the join token is valid.",
  },
  identity_expired: {
    source: "internal",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "this proxy's own certificate has expired",
    hint: "It could not be renewed for half of its life: the control plane was away or refused; see /certs.",
  },
  peer_untrusted: {
    source: "policy",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "the peer's certificate does not lead to a trusted root",
    hint: "The peer belongs to another mesh, or one side has not received the current trust bundle.",
  },
  peer_missing: {
    source: "policy",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "the peer sent no certificate",
    hint: "Mutual TLS is required here (STRICT): the caller is outside the mesh or has no certificate yet.",
  },
  peer_wrong_trust_domain: {
    source: "policy",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "the peer's trust domain is not accepted",
    hint: "Compare the trust domain in the peer's SPIFFE ID with this mesh's.",
  },
  peer_wrong_identity: {
    source: "policy",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "the peer's identity is not the expected one",
    hint: "The peer is trusted but is somebody else: compare its SPIFFE ID with the accepted names.",
  },
  peer_no_identity: {
    source: "policy",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "the peer's certificate has no usable SPIFFE ID",
    hint: "The certificate must have exactly one URI name of the form spiffe://<trust domain>/ns/<namespace>/sa/<service account>.",
  },
  peer_wrong_usage: {
    source: "policy",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "the peer's certificate may not be used this way",
    hint: "Its key usage does not allow client or server authentication, or it is a CA certificate.",
  },
  peer_expired: {
    source: "policy",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "the peer's certificate has expired",
    hint: "The peer could not renew, or a clock is wrong: compare both hosts' clocks.",
  },
  peer_not_yet_valid: {
    source: "policy",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "the peer's certificate is not valid yet",
    hint: "A clock is wrong: compare both hosts' clocks.",
  },
  peer_revoked: {
    source: "policy",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "the peer's certificate has been revoked",
    hint: "It is on the revocation list; the peer must get a new one.",
  },
  join_token_unknown: {
    source: "policy",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "the join token is unknown",
    hint: "Make a new one; a token belongs to one mesh and one identity.",
  },
  join_token_used: {
    source: "policy",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "the join token has been used up",
    hint: "If nobody else should have used it, treat its identity as compromised; make a new one.",
  },
  join_token_expired: {
    source: "policy",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "the join token has expired",
    hint: "Make a new one.",
  },
  node_not_authorized: {
    source: "policy",
    retry: "never",
    httpStatus: 0,
    grpcStatus: 0,
    flag: "",
    details: "",
    text: "the node may not have this configuration",
    hint: "A proxy gets only the configuration of the workload that its certificate names: compare node id and SPIFFE ID.",
  },
} as const satisfies Readonly<Record<string, ErrorEntry>>;

export type ErrorCode = keyof typeof errorCodes;

/** The entry of a code, as the wide type: what code that handles any failure wants. */
export function errorEntry(code: ErrorCode): ErrorEntry {
  return errorCodes[code];
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCodes, text);
}
