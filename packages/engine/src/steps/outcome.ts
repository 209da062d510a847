import type { ErrorCode } from "@heddle/core";

/** What went wrong with an attempt, as `@heddle/upstream` reports it. */
export interface AttemptFailure {
  readonly code: ErrorCode;
  /** Request bytes handed to the socket; 0 makes any retry safe. */
  readonly bytesWritten: number;
  readonly reusedConnection: boolean;
  readonly responseStarted: boolean;
  /** A connection that was being made for several requests failed, and another one of them counts it (design §5, "Between proxies"). */
  readonly isCountedElsewhere: boolean;
  readonly transportFailure: string;
}

/** How a request ended, once. `status` 0: no response was sent. */
export interface RequestOutcome {
  readonly status: number;
  /** Of a gRPC call that was answered; -1: none. */
  readonly grpcStatus?: number;
  readonly code: ErrorCode | "";
}
