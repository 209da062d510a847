import type { HttpRetry } from "@heddle/api";
import { parseDuration } from "@heddle/core";
import {
  IdempotentRequestSchema,
  type MessageInitShape,
  packAny,
  PreviousHostsPredicateSchema,
  type RetryPolicySchema,
} from "@heddle/xds/api";
import type { Audience } from "../audience.ts";
import { duration, extension } from "../wire.ts";

export type RetryPolicyInit = MessageInitShape<typeof RetryPolicySchema>;

/** Istio's default for outbound routes (istio.md 4.6). No status code is listed, so a 503 answer is not retried. */
const defaultRetryOn = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";
const defaultAttempts = 2;
/** Envoy's default for the first back-off; the longest is ten times as long. */
const defaultBackOffMs = 25;

const avoidPreviousHosts = extension("envoy.retry_host_predicates.previous_hosts", PreviousHostsPredicateSchema, {});
const idempotentOnly = {
  name: "heddle.idempotent_request",
  typedConfig: packAny(IdempotentRequestSchema, {}),
};

/**
 * The retry policy of an outbound route; undefined: none.
 *
 * What the user's own `retryOn` names is retried for every method, as he asked. What we choose ourselves is safe (design §5): Envoy gets
 * Istio's list; Heddle's proxy also retries resets, and keeps whatever does not prove the request unprocessed to idempotent requests.
 */
export function compileRetryPolicy(retries: HttpRetry | undefined, audience: Audience): RetryPolicyInit | undefined {
  const attempts = retries === undefined ? defaultAttempts : (retries.attempts ?? 0);
  if (attempts <= 0) return undefined;

  const own = retries?.retryOn === undefined || retries.retryOn === "" ? undefined : splitRetryOn(retries.retryOn);
  const isGuarded = own === undefined && audience.understands.has("IdempotentRequest");
  const backOffMs = (retries?.backoff === undefined ? undefined : parseDuration(retries.backoff)) ?? defaultBackOffMs;
  const perTryTimeoutMs = retries?.perTryTimeout === undefined ? undefined : parseDuration(retries.perTryTimeout);

  return {
    retryOn: own?.conditions ?? (isGuarded ? `${defaultRetryOn},reset` : defaultRetryOn),
    numRetries: attempts,
    retriableStatusCodes: own?.statusCodes ?? [],
    ...(perTryTimeoutMs === undefined ? {} : { perTryTimeout: duration(perTryTimeoutMs) }),
    retryHostPredicate: retries?.retryIgnorePreviousHosts === false ? [] : [avoidPreviousHosts],
    hostSelectionRetryMaxAttempts: 5n,
    retryBackOff: { baseInterval: duration(backOffMs), maxInterval: duration(10 * backOffMs) },
    retryOptionsPredicates: isGuarded ? [idempotentOnly] : [],
  };
}

/** Towards the application beside the proxy (istio.md 4.6): only what never left the proxy. */
export function compileInboundRetryPolicy(): RetryPolicyInit {
  return {
    retryOn: "reset-before-request",
    numRetries: 2,
    retryBackOff: { baseInterval: duration(defaultBackOffMs), maxInterval: duration(10 * defaultBackOffMs) },
  };
}

/** Numbers among the words are status codes; when there are any, the word that makes them count is added. */
function splitRetryOn(retryOn: string): { conditions: string; statusCodes: number[] } {
  const conditions: string[] = [];
  const statusCodes: number[] = [];
  for (const part of retryOn.split(",").map((text) => text.trim())) {
    if (/^[1-5]\d\d$/.test(part)) statusCodes.push(Number(part));
    else if (part !== "") conditions.push(part);
  }
  if (statusCodes.length > 0 && !conditions.includes("retriable-status-codes"))
    conditions.push("retriable-status-codes");
  return { conditions: conditions.join(","), statusCodes };
}
