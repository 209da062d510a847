import type { FaultConfig } from "../config/fault.ts";
import { BoundHeaderMatch } from "./header-matcher.ts";
import { shareOf } from "./route-match.ts";

export interface BoundFault {
  readonly config: FaultConfig;
  readonly delayMs: number;
  /** 0–1. */
  readonly delayShare: number;
  readonly abortStatus: number;
  readonly abortShare: number;
  readonly headers: readonly BoundHeaderMatch[];
}

export function bindFault(config: FaultConfig): BoundFault {
  return {
    config,
    delayMs: config.delay?.fixedMs ?? 0,
    delayShare: config.delay === undefined ? 0 : shareOf(config.delay.fraction),
    abortStatus: config.abort?.httpStatus ?? 0,
    abortShare: config.abort === undefined ? 0 : shareOf(config.abort.fraction),
    headers: config.headers.map((match) => new BoundHeaderMatch(match)),
  };
}
