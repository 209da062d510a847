import type { RandomSource, TimerHandle, TimerTarget } from "@heddle/core";
import type { HealthCheckConfig } from "@heddle/engine";
import type { UpstreamTimers } from "../timers.ts";
import type { Prober, ProbeOutcome } from "./prober.ts";

/** What the checks have found; `pending`: none has ended. */
export type FoundHealth = "pending" | "healthy" | "degraded" | "failed";

/** What is counted under `cluster.<name>.health_check.*`. */
export type CheckCount = "attempt" | "success" | "failure" | "network_failure" | "passive_failure" | "verify_cluster";

export interface EndpointCheckOptions {
  readonly config: HealthCheckConfig;
  readonly prober: Prober;
  readonly timers: UpstreamTimers;
  readonly random: RandomSource;
  /** Whether the cluster has had a connection for traffic: until then checks are rarer. */
  readonly hasTraffic: () => boolean;
  readonly count: (what: CheckCount) => void;
  readonly onChange: (check: EndpointCheck) => void;
  readonly onFailure: (reason: string, isChange: boolean) => void;
  readonly onSuccess: (isChange: boolean) => void;
  readonly initialHealth: FoundHealth;
}

/**
 * The checks of one endpoint, one after another, and what they amount to (Envoy's ActiveHealthCheckSession): the first result counts
 * at once, later ones when there are as many in a row as the thresholds say, and a refusal always.
 */
export class EndpointCheck implements TimerTarget {
  readonly #options: EndpointCheckOptions;
  #health: FoundHealth;
  #isFirst = true;
  #successes = 0;
  #failures = 0;
  #isProbing = false;
  #timer: TimerHandle | undefined;

  constructor(options: EndpointCheckOptions) {
    this.#options = options;
    this.#health = options.initialHealth;
  }

  get health(): FoundHealth {
    return this.#health;
  }

  start(): void {
    const { config, random } = this.#options;
    if (config.initialJitterMs > 0) this.#schedule(random() * config.initialJitterMs);
    else this.#begin();
  }

  stop(): void {
    const { timers, prober } = this.#options;
    if (this.#timer !== undefined) timers.cancel(this.#timer);
    this.#timer = undefined;
    prober.close();
  }

  /**
   * The endpoint has said in an answer to traffic that it is not well: that is enough, whatever the thresholds say. The checks go on, and find it well
   * again in their own time (Envoy, `x-envoy-immediate-health-check-fail`).
   */
  failAtOnce(): void {
    const { count, onFailure, onChange } = this.#options;
    count("failure");
    count("passive_failure");
    if (this.#health === "failed") return;
    this.#health = "failed";
    this.#isFirst = false;
    this.#successes = 0;
    onFailure("it says so itself", true);
    onChange(this);
  }

  /** It is time for a check, or a check has taken too long. */
  onTimer(): void {
    this.#timer = undefined;
    if (!this.#isProbing) return this.#begin();
    const { prober, config } = this.#options;
    prober.cancel();
    this.#finish({ kind: "network", reason: `no answer within ${config.timeoutMs} ms` });
  }

  #begin(): void {
    const { config, prober, count } = this.#options;
    count("attempt");
    this.#isProbing = true;
    this.#schedule(config.timeoutMs);
    prober.probe((outcome) => this.#finish(outcome));
  }

  #finish(outcome: ProbeOutcome): void {
    const { timers, count, onFailure, onSuccess, onChange } = this.#options;
    this.#isProbing = false;
    if (this.#timer !== undefined) timers.cancel(this.#timer);
    this.#timer = undefined;
    const before = this.#health;
    let isGood = false;
    let isPending: boolean;
    if (outcome.kind === "healthy" || outcome.kind === "degraded") {
      isGood = true;
      count("success");
      isPending = this.#succeeded(outcome.kind);
      onSuccess(before !== this.#health);
    } else {
      count("failure");
      if (outcome.kind === "network") count("network_failure");
      if (outcome.kind === "other-service") count("verify_cluster");
      isPending = this.#failed(outcome.kind === "refused" || outcome.kind === "other-service");
      onFailure(outcome.reason, before !== this.#health);
    }
    this.#isFirst = false;
    if (before !== this.#health) onChange(this);
    this.#schedule(this.#intervalMs(isGood, isPending));
  }

  /** @returns whether more of the kind would change the endpoint's health */
  #succeeded(kind: "healthy" | "degraded"): boolean {
    this.#failures = 0;
    const isUp = this.#health === "healthy" || this.#health === "degraded";
    if (!isUp && !this.#isFirst && ++this.#successes < this.#options.config.healthyThreshold) return true;
    this.#health = kind;
    return false;
  }

  #failed(countsAtOnce: boolean): boolean {
    this.#successes = 0;
    if (this.#health === "failed") return false;
    // An endpoint that nobody has seen healthy is no candidate for patience.
    const isUnknown = this.#health === "pending";
    this.#failures += 1;
    if (!isUnknown && !countsAtOnce && this.#failures < this.#options.config.unhealthyThreshold) return true;
    this.#health = "failed";
    return false;
  }

  /** Which of the intervals, as in Envoy's HealthCheckerImplBase::interval. */
  #intervalMs(isGood: boolean, isPending: boolean): number {
    const { config, hasTraffic, random } = this.#options;
    let baseMs: number;
    if (!hasTraffic()) baseMs = isGood ? config.noTrafficHealthyIntervalMs : config.noTrafficIntervalMs;
    else if (isGood) baseMs = isPending ? config.healthyEdgeIntervalMs : config.intervalMs;
    else baseMs = isPending ? config.unhealthyEdgeIntervalMs : config.unhealthyIntervalMs;
    const percentMs = (baseMs * config.intervalJitterPercent) / 100;
    return baseMs + random() * percentMs + random() * config.intervalJitterMs;
  }

  #schedule(delayMs: number): void {
    this.#timer = this.#options.timers.schedule(Math.max(1, delayMs), this);
  }
}
