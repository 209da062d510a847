import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorCode, ErrorEntry } from "./error-codes.ts";
import { errorCodes, errorEntry, isErrorCode } from "./error-codes.ts";

const entries: [string, ErrorEntry][] = Object.entries(errorCodes);

/** Envoy's mapping for local replies to gRPC callers. */
const grpcByHttp: Record<number, number> = { 400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14 };

test("every code has a hint that is a sentence, and a text or a response", () => {
  for (const [code, entry] of entries) {
    assert.match(entry.hint, /^[A-Z].*\.$/s, code);
    assert.ok(entry.text !== "" || entry.httpStatus !== 0, code);
  }
});

test("every response has details for the access log, and gRPC's status follows HTTP's as in Envoy", () => {
  for (const [code, entry] of entries) {
    if (entry.httpStatus === 0) {
      assert.equal(entry.grpcStatus, 0, code);
      continue;
    }
    assert.notEqual(entry.details, "", code);
    // Envoy calls this one by its name, DEADLINE_EXCEEDED (`ActiveStream::onStreamMaxDurationReached`).
    const expected = code === "stream_duration" ? 4 : (grpcByHttp[entry.httpStatus] ?? 2);
    assert.equal(entry.grpcStatus, expected, code);
  }
});

test("details hold no space, because the access log separates its fields by one", () => {
  for (const [code, entry] of entries) assert.doesNotMatch(entry.details, /\s/, code);
});

test("what the caller did wrong is never retried, and only what cannot have been processed always is", () => {
  for (const [code, entry] of entries) {
    if (entry.source === "downstream" || entry.source === "policy") assert.equal(entry.retry, "never", code);
  }
  const always = entries.filter(([, entry]) => entry.retry === "always").map(([code]) => code);
  assert.deepEqual(always, [
    "upstream_connect_failed",
    "upstream_connect_timeout",
    "upstream_tls_failed",
    "upstream_peer_rejected",
    "upstream_refused",
    "draining",
  ]);
  assert.deepEqual(
    entries.filter(([, entry]) => entry.retry === "reused").map(([code]) => code),
    ["upstream_reset"],
  );
});

test("bodies, flags and details are those that Envoy's users know", () => {
  const known: [ErrorCode, number, string, string, string][] = [
    ["no_route", 404, "NR", "route_not_found", ""],
    ["no_cluster", 503, "NC", "cluster_not_found", ""],
    ["no_healthy_upstream", 503, "UH", "no_healthy_upstream", "no healthy upstream"],
    ["request_timeout", 504, "UT", "response_timeout", "upstream request timeout"],
    ["fault_abort", 503, "FI", "fault_filter_abort", "fault filter abort"],
    ["rbac_denied", 403, "", "rbac_access_denied_matched_policy[none]", "RBAC: access denied"],
  ];
  for (const [code, status, flag, details, text] of known) {
    const entry = errorEntry(code);
    assert.deepEqual([entry.httpStatus, entry.flag, entry.details, entry.text], [status, flag, details, text], code);
  }
});

test("a name is a code only when the table has it", () => {
  assert.equal(isErrorCode("no_route"), true);
  assert.equal(isErrorCode("toString"), false);
});
