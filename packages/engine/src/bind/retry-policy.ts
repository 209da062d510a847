import type { RetryCondition, RetryPolicyConfig } from "../config/route.ts";
import { BoundHeaderMatch } from "./header-matcher.ts";

/** `retry_on` as bits. */
export const retryOn = {
  "5xx": 1,
  "gateway-error": 2,
  reset: 4,
  "reset-before-request": 8,
  "connect-failure": 16,
  "retriable-4xx": 32,
  "refused-stream": 64,
  "retriable-status-codes": 128,
  "retriable-headers": 256,
  cancelled: 512,
  "deadline-exceeded": 1024,
  internal: 2048,
  "resource-exhausted": 4096,
  unavailable: 8192,
} as const satisfies Readonly<Record<RetryCondition, number>>;

/** Conditions on a gRPC status in response headers, with the status of each. */
export const grpcConditions: readonly (readonly [bit: number, status: string])[] = [
  [retryOn.cancelled, "1"],
  [retryOn["deadline-exceeded"], "4"],
  [retryOn["resource-exhausted"], "8"],
  [retryOn.internal, "13"],
  [retryOn.unavailable, "14"],
];

const grpcNames: ReadonlySet<string> = new Set([
  "cancelled",
  "deadline-exceeded",
  "internal",
  "resource-exhausted",
  "unavailable",
]);

export function isRetryCondition(name: string): name is RetryCondition {
  return Object.hasOwn(retryOn, name);
}

/** Bits of a comma-separated list; names that are unknown, or belong to the other header, are skipped (Envoy's headers). */
export function parseRetryOn(list: string, grpc: boolean): number {
  let bits = 0;
  for (const item of list.split(",")) {
    const name = item.trim();
    if (isRetryCondition(name) && grpcNames.has(name) === grpc) bits |= retryOn[name];
  }
  return bits;
}

export class BoundRetryPolicy {
  readonly config: RetryPolicyConfig;
  readonly conditions: number;
  readonly retriableHeaders: readonly BoundHeaderMatch[];
  readonly retriableRequestHeaders: readonly BoundHeaderMatch[];

  constructor(config: RetryPolicyConfig) {
    this.config = config;
    this.conditions = config.retryOn.reduce((bits, name) => bits | retryOn[name], 0);
    this.retriableHeaders = config.retriableHeaders.map((match) => new BoundHeaderMatch(match));
    this.retriableRequestHeaders = config.retriableRequestHeaders.map((match) => new BoundHeaderMatch(match));
  }
}
