import type { Readable } from "node:stream";
import type { LogLevel } from "@heddle/core";
import type { MetricReader, TapConfig } from "@heddle/telemetry";
import type { Profile } from "../generation/profiles.ts";
import type { ClusterView } from "../worker/cluster-views.ts";

/** Any JSON value: what the admin pages print. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };

export type ServerState = "LIVE" | "DRAINING" | "PRE_INITIALIZING" | "INITIALIZING";

export interface ListenerView {
  readonly name: string;
  /** What it is really bound to: the port where 0 was configured. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  /** Prefix of its statistics: `listener.<name>.`. */
  readonly statName: string;
}

export interface CertificateView {
  readonly path: string;
  readonly serialNumber: string;
  readonly subjectAltNames: readonly string[];
  readonly validFromMs: number;
  readonly expirationMs: number;
}

/** What the admin port shows and changes; the running proxy provides it. */
export interface AdminSource {
  readonly metrics: MetricReader;
  state(): ServerState;
  serverInfo(): Record<string, JsonValue>;
  /** Configuration as Envoy's `/config_dump` shows it, secrets already redacted. */
  configDump(includeEndpoints: boolean): JsonValue[];
  /** `envoy.admin.v3.Memory`, with the heaps of the threads beside it. */
  memory(): Record<string, JsonValue>;
  /** Layers of the runtime, from the first to the one that wins, and what stands in each. */
  runtime(): readonly { readonly name: string; readonly values: Readonly<Record<string, number>> }[];
  /** @param thread `main`, or the number of a worker */
  cpuProfile(thread: string, seconds: number): Promise<Profile>;
  heapSnapshot(thread: string): Promise<Profile>;
  /** Events of requests from now on, a line of JSON each; undefined: too many taps are open. */
  tap(config: TapConfig): Promise<Readable | undefined>;
  clusters(): Promise<readonly ClusterView[]>;
  listeners(): readonly ListenerView[];
  certificates(): readonly { readonly ca: readonly CertificateView[]; readonly chain: readonly CertificateView[] }[];
  logLevel(): LogLevel;
  setLogLevel(level: LogLevel): void;
  drainListeners(): void;
  quit(): void;
  /** Asks for a new certificate now. Resolves when it serves; says why not. */
  renewCertificate(): Promise<{ readonly ok: true } | { readonly ok: false; readonly reason: string }>;
}
