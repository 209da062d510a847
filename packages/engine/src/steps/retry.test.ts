import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorCode } from "@heddle/core";
import type { JsonObject } from "@heddle/xds/api";
import { PlainHeaders } from "../testing/fixtures.ts";
import { clusterJson, Mesh, numbers, routesJson, routeTo, seeded, typeUrls } from "../testing/harness.ts";
import { finishRequest } from "./accounting.ts";
import { afterFailure, afterResponseHead, afterTimeout } from "./after-attempt.ts";
import type { AttemptFailure } from "./outcome.ts";
import type { RequestRecord } from "./request-record.ts";

const three = [{}, {}, {}];
const insiders = {
  internal_address_config: { cidr_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }] },
  use_remote_address: true,
};

function retryMesh(policy: JsonObject | undefined, cluster: JsonObject = {}, host: JsonObject = {}): Mesh {
  return new Mesh({
    routes: routesJson([routeTo("a", policy === undefined ? {} : { retry_policy: policy })], {}, host),
    manager: insiders,
    clusters: [clusterJson("a", three, cluster)],
  });
}

function failure(code: ErrorCode, parts: Partial<AttemptFailure> = {}): AttemptFailure {
  return {
    code,
    bytesWritten: 100,
    reusedConnection: false,
    responseStarted: false,
    isCountedElsewhere: false,
    transportFailure: "",
    ...parts,
  };
}

function fail(mesh: Mesh, req: RequestRecord, own: AttemptFailure): string {
  afterFailure(mesh.live, req, own, mesh.random, mesh.out);
  return mesh.out.kind;
}

function respond(mesh: Mesh, req: RequestRecord, status: number, headers: Record<string, string> = {}): string {
  afterResponseHead(mesh.live, req, status, new PlainHeaders(Object.entries(headers)), 1, mesh.random, mesh.out);
  return mesh.out.kind;
}

test("each retry condition retries what it names and nothing else", () => {
  const failures: Readonly<Record<string, AttemptFailure>> = {
    connect: failure("upstream_connect_failed", { bytesWritten: 0 }),
    unwritten: failure("upstream_reset", { bytesWritten: 0 }),
    refused: failure("upstream_refused"),
    reset: failure("upstream_reset"),
    remote: failure("upstream_remote_reset"),
    protocol: failure("upstream_protocol_error"),
    overflow: failure("overflow", { bytesWritten: 0 }),
    unwritable: failure("internal_error", { bytesWritten: 0 }),
  };
  // No byte written, or never begun: always safe (design §5), so these three are retried under any condition.
  const safe = ["connect", "unwritten", "refused"];
  const resets = [...safe, "reset", "remote", "protocol"];
  const byFailure: [string, string[]][] = [
    ["connect-failure", safe],
    ["refused-stream", safe],
    ["reset-before-request", safe],
    ["retriable-4xx", safe],
    ["reset", resets],
    ["5xx", resets],
    ["gateway-error", resets],
    ["", []],
  ];
  for (const [condition, expected] of byFailure) {
    const retried = Object.entries(failures).filter(([, own]) => {
      const mesh = retryMesh({ retry_on: condition });
      return fail(mesh, mesh.forward(), own) === "retry";
    });
    assert.deepEqual(
      retried.map(([name]) => name),
      expected,
      condition,
    );
  }

  const responses: [number, Record<string, string>, string?][] = [
    [200, {}],
    [409, {}],
    [404, {}],
    [500, {}],
    [501, {}],
    [502, {}],
    [503, {}],
    [504, {}],
    [429, {}],
    [503, { "x-envoy-ratelimited": "true" }],
    [200, { "x-again": "yes" }],
  ];
  const byResponse: [JsonObject, number[]][] = [
    [{ retry_on: "5xx" }, [500, 501, 502, 503, 504]],
    [{ retry_on: "gateway-error" }, [502, 503, 504]],
    [{ retry_on: "retriable-4xx" }, [409]],
    [{ retry_on: "retriable-status-codes", retriable_status_codes: [404, 429] }, [404, 429]],
    [{ retry_on: "retriable-status-codes" }, []],
    [{ retry_on: "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes" }, []],
    [{ retry_on: "5xx, retriable-4xx" }, [409, 500, 501, 502, 503, 504]],
    [{ retry_on: "retriable-headers", retriable_headers: [{ name: "x-again", exact_match: "yes" }] }, [200]],
    [{ retry_on: "5xx", retriable_request_headers: [{ name: "x-may", present_match: true }] }, []],
  ];
  for (const [policy, expected] of byResponse) {
    const retried = responses.filter(([status, headers]) => {
      const mesh = retryMesh(policy);
      return respond(mesh, mesh.forward(), status, headers) === "retry";
    });
    assert.deepEqual(
      retried.map(([status]) => status).sort((a, b) => a - b),
      expected,
      JSON.stringify(policy),
    );
  }
  const limited = retryMesh({ retry_on: "5xx", retriable_request_headers: [{ name: "x-may", present_match: true }] });
  assert.equal(respond(limited, limited.forward({ headers: { "x-may": "" } }), 500), "retry");

  const grpc = (condition: string, status: string): string => {
    const mesh = retryMesh({ retry_on: condition });
    return respond(mesh, mesh.forward({ headers: { "content-type": "application/grpc" } }), 200, {
      "grpc-status": status,
    });
  };
  for (const [condition, status] of [
    ["cancelled", "1"],
    ["deadline-exceeded", "4"],
    ["resource-exhausted", "8"],
    ["internal", "13"],
    ["unavailable", "14"],
  ] as const) {
    assert.equal(grpc(condition, status), "retry", condition);
    assert.equal(grpc(condition, "0"), "proceed", condition);
  }
});

test("without a policy nothing is retried", () => {
  const mesh = retryMesh(undefined);
  const req = mesh.forward();
  assert.equal(req.canRetry, false);
  assert.equal(fail(mesh, req, failure("upstream_connect_failed", { bytesWritten: 0 })), "respond");
  assert.deepEqual([mesh.out.status, mesh.out.code], [503, "upstream_connect_failed"]);
  assert.deepEqual(req.flags, ["UF"]);
});

test("the virtual host's retry policy holds for routes without one", () => {
  const mesh = retryMesh(undefined, {}, { retry_policy: { retry_on: "5xx" } });
  assert.equal(respond(mesh, mesh.forward(), 500), "retry");
  const own = retryMesh({ retry_on: "connect-failure" }, {}, { retry_policy: { retry_on: "5xx" } });
  assert.equal(respond(own, own.forward(), 500), "proceed");
});

test("retries end at the policy's number and at the cluster's limit", () => {
  const attempts = (policy: JsonObject, headers: Record<string, string> = {}): [number, string[]] => {
    const mesh = retryMesh(policy);
    const req = mesh.forward({ headers });
    while (fail(mesh, req, failure("upstream_connect_failed", { bytesWritten: 0 })) === "retry") mesh.choose(req);
    assert.equal(req.canRetry, false);
    return [req.attempt, req.flags];
  };
  assert.deepEqual(attempts({ retry_on: "5xx" }), [2, ["URX", "UF"]]);
  assert.deepEqual(attempts({ retry_on: "5xx", num_retries: 3 }), [4, ["URX", "UF"]]);
  assert.deepEqual(attempts({ retry_on: "5xx", num_retries: 0 }), [1, ["URX", "UF"]]);
  assert.deepEqual(attempts({ retry_on: "5xx", num_retries: 3 }, { "x-envoy-max-retries": "1" }), [2, ["URX", "UF"]]);
  assert.deepEqual(attempts({ retry_on: "" }, { "x-envoy-retry-on": "connect-failure" }), [2, ["URX", "UF"]]);

  // A response beyond the last retry is passed on, with the flag.
  const last = retryMesh({ retry_on: "5xx", num_retries: 0 });
  const passed = last.forward();
  assert.equal(respond(last, passed, 500), "proceed");
  assert.deepEqual(passed.flags, ["URX"]);

  // At most so many retries are in progress in the cluster; a retry is in progress until its answer.
  const mesh = retryMesh(
    { retry_on: "5xx", num_retries: 5 },
    { circuit_breakers: { thresholds: [{ max_retries: 1 }] } },
  );
  const first = mesh.forward();
  const second = mesh.forward();
  assert.equal(respond(mesh, first, 500), "retry");
  assert.equal(respond(mesh, second, 500), "proceed");
  assert.deepEqual(second.flags, ["UO"]);
  const state = mesh.live.clusters.get("a");
  assert.deepEqual([state?.activeRetries, state?.retryOverflows], [1, 1]);
  mesh.choose(first);
  assert.equal(respond(mesh, first, 200), "proceed");
  assert.equal(state?.activeRetries, 0);
});

test("the back-off doubles from its base to its maximum, fully jittered", () => {
  const delays = (policy: JsonObject, random: number): number[] => {
    const mesh = retryMesh({ retry_on: "5xx", num_retries: 6, ...policy });
    mesh.random = numbers(random);
    const req = mesh.forward();
    const all: number[] = [];
    while (respond(mesh, req, 500) === "retry") {
      all.push(mesh.out.delayMs);
      mesh.choose(req);
    }
    return all;
  };
  assert.deepEqual(delays({}, 0.5), [12, 25, 50, 100, 125, 125]);
  assert.deepEqual(delays({}, 0), [0, 0, 0, 0, 0, 0]);
  assert.deepEqual(delays({ retry_back_off: { base_interval: "0.1s" } }, 0.999999), [99, 199, 399, 799, 999, 999]);
  assert.deepEqual(
    delays({ retry_back_off: { base_interval: "0.1s", max_interval: "0.15s" } }, 0.999999),
    [99, 149, 149, 149, 149, 149],
  );
});

test("a per-try timeout is retried like a reset", () => {
  const timedOut = (
    condition: string,
    which: "request" | "per-try" | "per-try-idle",
  ): [string, number, string, string[]] => {
    const mesh = retryMesh({ retry_on: condition, per_try_timeout: "1s", per_try_idle_timeout: "0.5s" });
    const req = mesh.forward();
    assert.deepEqual([req.perTryTimeoutMs, req.perTryIdleTimeoutMs], [1000, 500]);
    afterTimeout(mesh.live, req, which, mesh.random, mesh.out);
    return [mesh.out.kind, mesh.out.status, req.details, req.flags];
  };
  for (const condition of ["reset", "5xx", "gateway-error"])
    assert.equal(timedOut(condition, "per-try")[0], "retry", condition);
  assert.equal(timedOut("5xx", "per-try-idle")[0], "retry");
  assert.deepEqual(timedOut("connect-failure", "per-try"), ["respond", 504, "upstream_per_try_timeout", ["UT"]]);
  assert.deepEqual(timedOut("connect-failure", "per-try-idle"), [
    "respond",
    504,
    "upstream_per_try_idle_timeout",
    ["UT"],
  ]);
  assert.deepEqual(timedOut("5xx", "request"), ["respond", 504, "response_timeout", ["UT"]]);
});

test("a timeout within the response resets it", () => {
  const mesh = retryMesh({ retry_on: "5xx" });
  const req = mesh.forward();
  assert.equal(respond(mesh, req, 200), "proceed");
  afterTimeout(mesh.live, req, "request", mesh.random, mesh.out);
  assert.deepEqual([mesh.out.kind, req.flags], ["reset", ["UT"]]);
});

test("the caller may ask for another status of a timeout", () => {
  const mesh = retryMesh(undefined);
  const req = mesh.forward({ headers: { "x-envoy-upstream-rq-timeout-alt-response": "1" } });
  afterTimeout(mesh.live, req, "request", mesh.random, mesh.out);
  assert.equal(mesh.out.status, 204);
});

test("endpoints that were tried are avoided", () => {
  const previous = { retry_host_predicate: [{ name: "previous", typed_config: { "@type": typeUrls.previousHosts } }] };
  const sameTwice = (policy: JsonObject): number => {
    const mesh = retryMesh({ retry_on: "5xx", ...policy }, { lb_policy: "RANDOM" });
    mesh.random = seeded(1);
    let same = 0;
    for (let i = 0; i < 300; i++) {
      const req = mesh.forward({ headers: { "x-request-id": "kept" } });
      const first = req.endpoint;
      assert.equal(respond(mesh, req, 500), "retry");
      mesh.choose(req);
      if (req.endpoint === first) same++;
      assert.deepEqual(req.previousEndpoints, [first]);
      finishRequest(mesh.live, req, { status: 200, code: "" });
    }
    return same;
  };
  assert.ok(sameTwice({}) > 60);
  assert.equal(sameTwice(previous), 0);
  assert.equal(sameTwice({ ...previous, host_selection_retry_max_attempts: "20" }), 0);
  // The balancer is asked so often before one of the others is drawn in its stead.
  const secondHost = (attempts: string): string => {
    const mesh = retryMesh(
      { retry_on: "5xx", ...previous, host_selection_retry_max_attempts: attempts },
      { lb_policy: "RANDOM" },
    );
    mesh.random = () => 0;
    const req = mesh.forward();
    assert.equal(respond(mesh, req, 500), "retry");
    mesh.random = numbers(0, 0, 0.5);
    mesh.choose(req);
    return req.endpoint?.key ?? "";
  };
  assert.deepEqual(["1", "2"].map(secondHost), ["10.1.0.3:80", "10.1.0.2:80"]);
  // With one endpoint there is no other.
  const mesh = new Mesh({
    routes: routesJson([routeTo("a", { retry_policy: { retry_on: "5xx", ...previous } })]),
    clusters: [clusterJson("a")],
  });
  const req = mesh.forward();
  assert.equal(respond(mesh, req, 500), "retry");
  mesh.choose(req);
  assert.equal(mesh.out.kind, "connect");
});

test("a dead endpoint, which is never busy, does not get the retry again and again", () => {
  const policy = {
    retry_on: "connect-failure",
    num_retries: 2,
    retry_host_predicate: [{ name: "previous", typed_config: { "@type": typeUrls.previousHosts } }],
    host_selection_retry_max_attempts: "5",
  };
  const mesh = retryMesh(policy, { lb_policy: "LEAST_REQUEST" });
  // Every draw of the balancer falls on the first endpoints.
  mesh.random = () => 0;
  const req = mesh.forward();
  const tried = [req.endpoint];
  for (let attempt = 2; attempt <= 3; attempt++) {
    assert.equal(fail(mesh, req, failure("upstream_connect_failed")), "retry");
    mesh.choose(req);
    assert.ok(!tried.includes(req.endpoint), `attempt ${attempt}`);
    tried.push(req.endpoint);
  }
});

test("under IdempotentRequest only idempotent requests are sent again", () => {
  const policy = {
    retry_on: "5xx,reset,connect-failure",
    retry_options_predicates: [{ name: "idempotent", typed_config: { "@type": typeUrls.idempotent } }],
  };
  const outcome = (method: string, headers: Record<string, string>, own: AttemptFailure | number): string => {
    const mesh = retryMesh(policy);
    const req = mesh.forward({ method, headers });
    return typeof own === "number" ? respond(mesh, req, own) : fail(mesh, req, own);
  };
  for (const method of ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
    assert.equal(outcome(method, {}, 503), "retry", method);
  for (const method of ["POST", "PATCH", "PURGE"]) {
    assert.equal(outcome(method, {}, 503), "proceed", method);
    assert.equal(outcome(method, {}, failure("upstream_reset")), "respond", method);
    assert.equal(outcome(method, { "idempotency-key": "k" }, 503), "retry", method);
    // What is always safe stays so for every method.
    assert.equal(outcome(method, {}, failure("upstream_connect_failed", { bytesWritten: 0 })), "retry", method);
    assert.equal(
      outcome(method, {}, failure("upstream_reset", { bytesWritten: 0, reusedConnection: true })),
      "retry",
      method,
    );
    assert.equal(outcome(method, {}, failure("upstream_refused")), "retry", method);
    // The caller's own wish holds for every method.
    assert.equal(outcome(method, { "x-envoy-retry-on": "5xx" }, 503), "retry", method);
  }
  // Without the predicate the user's own retry_on holds for every method.
  const plain = retryMesh({ retry_on: "5xx" });
  assert.equal(respond(plain, plain.forward({ method: "POST" }), 503), "retry");
  const mesh = retryMesh(policy);
  const req = mesh.forward({ method: "POST" });
  afterTimeout(mesh.live, req, "per-try", mesh.random, mesh.out);
  assert.equal(mesh.out.kind, "respond");
});

test("a reused connection that closed is retried for idempotent requests under any policy", () => {
  const outcome = (method: string, reusedConnection: boolean): string => {
    const mesh = retryMesh({ retry_on: "connect-failure" });
    return fail(mesh, mesh.forward({ method }), failure("upstream_reset", { reusedConnection }));
  };
  assert.equal(outcome("GET", true), "retry");
  assert.equal(outcome("GET", false), "respond");
  assert.equal(outcome("POST", true), "respond");
});

/** What becomes of a 503 with this word from an endpoint of this cluster. */
function saidByPeer(word: string, method: string, policy: JsonObject, cluster: JsonObject): [string, boolean] {
  const mesh = retryMesh(policy, cluster);
  const req = mesh.forward({ method });
  const headers = new PlainHeaders([["heddle-unprocessed", word]]);
  afterResponseHead(mesh.live, req, 503, headers, 1, mesh.random, mesh.out);
  return [mesh.out.kind, headers.has("heddle-unprocessed")];
}

function overTls(common: JsonObject): JsonObject {
  const typed = { "@type": typeUrls.upstreamTls, sni: "a", common_tls_context: common };
  return { transport_socket: { name: "tls", typed_config: typed } };
}
const mutualTls = overTls({
  tls_certificate_sds_secret_configs: [{ name: "default", sds_config: { ads: {} } }],
});

test("heddle-unprocessed counts as a connect failure from a mutual TLS peer, and never reaches the caller", () => {
  const policy = { retry_on: "connect-failure" };
  assert.deepEqual(saidByPeer("1", "POST", policy, mutualTls), ["retry", false]);
  assert.deepEqual(saidByPeer("1", "POST", policy, overTls({})), ["proceed", false]);
  assert.deepEqual(saidByPeer("1", "POST", policy, {}), ["proceed", false]);
  // A certificate from files says nothing of the server: who it is expected to be does.
  const fromFiles = (name: JsonObject) =>
    overTls({
      tls_certificates: [{ certificate_chain: { inline_string: "CHAIN" }, private_key: { inline_string: "KEY" } }],
      validation_context: { trusted_ca: { inline_string: "PEM" }, match_typed_subject_alt_names: [name] },
    });
  const foreign = fromFiles({ san_type: "DNS", matcher: { exact: "pay.example" } });
  assert.deepEqual(saidByPeer("1", "POST", policy, foreign), ["proceed", false]);
  const ofMesh = fromFiles({ san_type: "URI", matcher: { exact: "spiffe://td/ns/a/sa/b" } });
  assert.deepEqual(saidByPeer("1", "POST", policy, ofMesh), ["retry", false]);
});

test("a request that was lost behind a mutual TLS peer is retried like a reset", () => {
  assert.deepEqual(saidByPeer("lost", "GET", { retry_on: "reset" }, mutualTls), ["retry", false]);
  assert.deepEqual(saidByPeer("lost", "GET", { retry_on: "connect-failure" }, mutualTls), ["proceed", false]);
  assert.deepEqual(saidByPeer("lost", "GET", { retry_on: "reset" }, overTls({})), ["proceed", false]);
  assert.deepEqual(saidByPeer("something", "GET", { retry_on: "reset" }, mutualTls), ["proceed", false]);
});

test("after response headers have gone out nothing is retried", () => {
  const mesh = retryMesh({ retry_on: "5xx,reset" });
  const req = mesh.forward();
  assert.equal(respond(mesh, req, 200), "proceed");
  assert.equal(fail(mesh, req, failure("upstream_reset", { bytesWritten: 0 })), "reset");
  assert.deepEqual(
    [mesh.out.code, req.details, req.flags],
    ["upstream_reset_mid_response", "upstream_reset_after_response_started{connection_termination}", ["UC"]],
  );
  const early = retryMesh({ retry_on: "5xx,reset" });
  assert.equal(fail(early, early.forward(), failure("upstream_protocol_error", { responseStarted: true })), "reset");
});

test("the caller's retry headers are consumed, and outsiders' are removed", () => {
  const mesh = retryMesh(undefined);
  const names = [
    "x-envoy-retry-on",
    "x-envoy-retry-grpc-on",
    "x-envoy-max-retries",
    "x-envoy-retriable-status-codes",
    "x-envoy-retriable-header-names",
    "x-envoy-hedge-on-per-try-timeout",
  ];
  const headers = {
    "x-envoy-retry-on": "retriable-status-codes,retriable-headers,nonsense",
    "x-envoy-retry-grpc-on": "unavailable",
    "x-envoy-max-retries": "4",
    "x-envoy-retriable-status-codes": "418, x,404",
    "x-envoy-retriable-header-names": "X-Again, ",
    "x-envoy-hedge-on-per-try-timeout": "true",
  };
  const req = mesh.forward({ headers });
  for (const name of names) assert.equal(req.headers.has(name), false, name);
  assert.equal(respond(mesh, req, 418), "retry");
  mesh.choose(req);
  assert.equal(respond(mesh, req, 200, { "x-again": "" }), "retry");
  mesh.choose(req);
  assert.equal(respond(mesh, req, 500), "proceed");
  const outsider = mesh.forward({ headers }, { remoteAddress: { host: "203.0.113.9", port: 1 } });
  assert.equal(respond(mesh, outsider, 418), "proceed");
});

test("the answer to a failure says what the transport said, and that it was retried", () => {
  const mesh = retryMesh({ retry_on: "connect-failure" });
  const req = mesh.forward();
  const tls = failure("upstream_connect_failed", { bytesWritten: 0, transportFailure: "ECONNREFUSED by peer" });
  assert.equal(fail(mesh, req, tls), "retry");
  mesh.choose(req);
  assert.equal(fail(mesh, req, tls), "respond");
  assert.match(
    mesh.out.body,
    /^upstream connect error or disconnect\/reset before headers\. retried and the latest reset reason: .*, transport failure reason: ECONNREFUSED by peer$/,
  );
  assert.match(req.details, /^upstream_reset_before_response_started\{.*\|ECONNREFUSED_by_peer\}$/);
});

test("the attempt count is told to the upstream and the caller when asked for", () => {
  const told = (host: JsonObject): [string | undefined, string | undefined] => {
    const mesh = retryMesh({ retry_on: "5xx" }, {}, host);
    const req = mesh.forward();
    assert.equal(respond(mesh, req, 500), "retry");
    mesh.choose(req);
    const headers = new PlainHeaders();
    afterResponseHead(mesh.live, req, 200, headers, 1, mesh.random, mesh.out);
    return [req.headers.get("x-envoy-attempt-count"), headers.get("x-envoy-attempt-count")];
  };
  assert.deepEqual(told({}), [undefined, undefined]);
  assert.deepEqual(told({ include_request_attempt_count: true }), ["2", undefined]);
  assert.deepEqual(told({ include_attempt_count_in_response: true }), [undefined, "2"]);
});

test("an attempt has only what is left of the whole time", () => {
  const mesh = retryMesh({ retry_on: "5xx" });
  const req = mesh.forward();
  assert.equal(req.headers.get("x-envoy-expected-rq-timeout-ms"), "15000");
  respond(mesh, req, 500);
  mesh.nowMs += 14_000;
  mesh.choose(req);
  assert.equal(req.headers.get("x-envoy-expected-rq-timeout-ms"), "1000");
});

test("a request that this proxy cannot write is nothing that its endpoint did", () => {
  const mesh = retryMesh({ retry_on: "5xx" });
  assert.equal(fail(mesh, mesh.forward(), failure("internal_error", { bytesWritten: 0 })), "respond");
  for (const { endpoints } of mesh.live.clusters.values())
    for (const { errors } of endpoints.values()) assert.equal(errors, 0);
});

test("a connection that many waited for and that failed is one failure of its endpoint, and each may be tried elsewhere", () => {
  const mesh = retryMesh({ retry_on: "connect-failure" });
  const waiting = Array.from({ length: 5 }, () => mesh.forward());
  const before = { errors: 0, connectFailures: 0 };
  for (const [index, req] of waiting.entries()) {
    const isCountedElsewhere = index > 0;
    assert.equal(
      fail(mesh, req, failure("upstream_connect_failed", { bytesWritten: 0, isCountedElsewhere })),
      index < 3 ? "retry" : "respond",
    );
  }
  for (const { endpoints } of mesh.live.clusters.values())
    for (const { errors, connectFailures } of endpoints.values()) {
      before.errors += errors;
      before.connectFailures += connectFailures;
    }
  assert.deepEqual(before, { errors: 1, connectFailures: 1 });
});

test("a CONNECT that is refused or lost before its 200 may be made again, whatever else the policy asks of a request", () => {
  const mesh = retryMesh({ retry_on: "connect-failure" });
  const lost = mesh.forward({ method: "CONNECT" });
  lost.upgrade = "connect";
  assert.equal(fail(mesh, lost, failure("upstream_reset")), "retry");
  const refused = mesh.forward({ method: "CONNECT" });
  refused.upgrade = "connect";
  assert.equal(respond(mesh, refused, 503), "retry");
  const denied = mesh.forward({ method: "CONNECT" });
  denied.upgrade = "connect";
  assert.equal(respond(mesh, denied, 403), "proceed");
  const post = mesh.forward({ method: "POST" });
  assert.equal(respond(mesh, post, 503), "proceed");
});
