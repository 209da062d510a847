import type { RetryPolicy } from "@heddle/xds/api";
import { isRetryCondition } from "../bind/retry-policy.ts";
import type { RetryCondition, RetryPolicyConfig } from "../config/route.ts";
import type { Loading, Path } from "./loading.ts";
import { loadHeaderMatch } from "./string-match.ts";

/** Envoy's back-off: 25 ms, at most ten times the base. */
const defaultBaseMs = 25;

export function loadRetryPolicy(policy: RetryPolicy, at: Path, loading: Loading): RetryPolicyConfig {
  const backOff = at.field("retry_back_off");
  const backOffBaseMs = loading.duration(
    policy.retryBackOff?.baseInterval,
    backOff.field("base_interval"),
    defaultBaseMs,
  );
  const backOffMaxMs = loading.duration(
    policy.retryBackOff?.maxInterval,
    backOff.field("max_interval"),
    backOffBaseMs * 10,
  );
  if (backOffBaseMs === 0 || (policy.retryBackOff !== undefined && policy.retryBackOff.baseInterval === undefined)) {
    loading.problem(
      backOff.field("base_interval"),
      "the base interval is missing or zero",
      "give a duration above zero",
    );
  }
  if (backOffMaxMs < backOffBaseMs)
    loading.problem(backOff.field("max_interval"), "it is below the base interval", "raise it");
  return {
    retryOn: loadRetryOn(policy.retryOn, at.field("retry_on"), loading),
    numRetries: policy.numRetries ?? 1,
    perTryTimeoutMs: loading.duration(policy.perTryTimeout, at.field("per_try_timeout"), 0),
    perTryIdleTimeoutMs: loading.duration(policy.perTryIdleTimeout, at.field("per_try_idle_timeout"), 0),
    retriableStatusCodes: policy.retriableStatusCodes.map((code, i) =>
      loading.range(code, at.field("retriable_status_codes").index(i), 100, 599),
    ),
    retriableHeaders: policy.retriableHeaders.map((matcher, i) =>
      loadResponseHeader(matcher, at.field("retriable_headers").index(i), loading),
    ),
    retriableRequestHeaders: policy.retriableRequestHeaders.map((matcher, i) =>
      loadHeaderMatch(matcher, at.field("retriable_request_headers").index(i), loading),
    ),
    backOffBaseMs,
    backOffMaxMs,
    avoidPreviousHosts: loadHostPredicates(policy, at.field("retry_host_predicate"), loading),
    hostSelectionRetryMaxAttempts: Math.max(1, Number(policy.hostSelectionRetryMaxAttempts)),
    onlyIdempotent: loadOptionsPredicates(policy, at.field("retry_options_predicates"), loading),
  };
}

function loadResponseHeader(matcher: Parameters<typeof loadHeaderMatch>[0], at: Path, loading: Loading) {
  const match = loadHeaderMatch(matcher, at, loading);
  if (match.name.startsWith(":"))
    loading.problem(at.field("name"), "a response has no such header", "use retriable_status_codes for :status");
  return match;
}

function loadRetryOn(list: string, at: Path, loading: Loading): RetryCondition[] {
  const conditions: RetryCondition[] = [];
  for (const item of list.split(",")) {
    const name = item.trim();
    if (name === "") continue;
    if (isRetryCondition(name)) conditions.push(name);
    else loading.problem(at, `the condition "${name}" is not supported`, "see the list of retry conditions");
  }
  return conditions;
}

/** Only previous_hosts; whether it is there. */
function loadHostPredicates(policy: RetryPolicy, at: Path, loading: Loading): boolean {
  let avoids = false;
  policy.retryHostPredicate.forEach((predicate, index) => {
    const where = at.index(index).field("typed_config");
    const message = loading.unpack(predicate.configType.value, where);
    if (message?.$typeName === "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate") avoids = true;
    else if (message !== undefined) loading.misplaced(message, where, "PreviousHostsPredicate");
  });
  return avoids;
}

/** Only heddle.v1.IdempotentRequest; whether it is there. */
function loadOptionsPredicates(policy: RetryPolicy, at: Path, loading: Loading): boolean {
  let isOnly = false;
  policy.retryOptionsPredicates.forEach((predicate, index) => {
    const where = at.index(index).field("typed_config");
    const message = loading.unpack(predicate.typedConfig, where);
    if (message?.$typeName === "heddle.v1.IdempotentRequest") isOnly = true;
    else if (message !== undefined) loading.misplaced(message, where, "heddle.v1.IdempotentRequest");
  });
  return isOnly;
}
