import type { LogLevel } from "@heddle/core";
import type { CheckedHealth, ConfigDelta, SecretRef, TransferredSecret } from "@heddle/engine";
import type { MetricAnnouncement } from "@heddle/telemetry";
import type { TapSetup } from "../tap/request-taps.ts";
import type { ClusterView } from "./cluster-views.ts";
import type { SessionSetup } from "./shared-sessions.ts";

/** What a worker is given when it starts. */
export interface WorkerSetup {
  readonly index: number;
  readonly logLevel: LogLevel;
  /** Where secrets of TLS handshakes go; undefined: nowhere. */
  readonly tlsKeyLogFile: string | undefined;
  /** One Int32 that the worker counts up while it is alive. */
  readonly heartbeat: SharedArrayBuffer;
  /** See `SharedLoad`. */
  readonly load: SharedArrayBuffer;
  /** See `SharedQueues`. */
  readonly queues: SharedArrayBuffer;
  readonly sessions: SessionSetup;
}

/** A limit that holds for all workers together; the buffer has a number for each. */
export interface CountedLimit {
  readonly key: string;
  readonly buffer: SharedArrayBuffer;
  readonly max: number;
}

/** What all workers together use of a cluster: see `SharedClusterCounts`. */
export interface CountedCluster {
  readonly name: string;
  readonly buffer: SharedArrayBuffer;
}

/** A listening descriptor for one address of a listener. The worker duplicates it and never closes the original. */
export interface ListenerSocket {
  readonly listener: string;
  readonly host: string;
  readonly port: number;
  /** Means the same in every worker, for good: see `ListeningSocket`. */
  readonly id: number;
  readonly fd: number;
}

export interface TransferredSourcedSecret {
  readonly source: SecretRef["source"];
  readonly secret: TransferredSecret;
}

export type WorkerCommand =
  | {
      readonly type: "configure";
      readonly sequence: number;
      readonly delta: ConfigDelta;
      readonly secrets: {
        readonly set: readonly TransferredSourcedSecret[];
        readonly remove: readonly { readonly source: SecretRef["source"]; readonly name: string }[];
      };
      /** Sockets of the listeners in `delta`, and limits of their connections. */
      readonly sockets: readonly ListenerSocket[];
      readonly limits: readonly CountedLimit[];
      /** Of the clusters in `delta`. */
      readonly clusterCounts: readonly CountedCluster[];
    }
  /** What the worker that checks has found; all of it. */
  | { readonly type: "health"; readonly health: ReadonlyMap<string, CheckedHealth> }
  /** See the report of this name. To the worker that checks. */
  | { readonly type: "endpoint-failed"; readonly cluster: string; readonly endpoint: string }
  | { readonly type: "describe"; readonly requestId: number }
  | { readonly type: "log-level"; readonly level: LogLevel }
  | { readonly type: "tap-open"; readonly setup: TapSetup }
  | { readonly type: "tap-close"; readonly id: number }
  /** The proxy will end: say so in answers (`connection: close`, GOAWAY), and serve whoever comes all the same. */
  | { readonly type: "announce-end" }
  /** Say `connection: close`; accept nothing more after `acceptMs`; report `drained` when the last connection is gone. */
  | { readonly type: "drain"; readonly acceptMs: number }
  /** The time to drain is over: end what is open, in words where they can still be said. */
  | { readonly type: "cut" };

export type WorkerReport =
  | { readonly type: "configured"; readonly sequence: number; readonly problem: string | undefined }
  | { readonly type: "series"; readonly announcements: readonly MetricAnnouncement[] }
  | { readonly type: "described"; readonly requestId: number; readonly clusters: readonly ClusterView[] }
  /** What health checks have found; all of it, from the one worker that makes them. */
  | { readonly type: "health"; readonly health: ReadonlyMap<string, CheckedHealth> }
  /** An endpoint that is checked has said in an answer that it is not well. */
  | { readonly type: "endpoint-failed"; readonly cluster: string; readonly endpoint: string }
  | { readonly type: "tap-opened"; readonly id: number }
  | { readonly type: "tap-lines"; readonly id: number; readonly lines: readonly string[] }
  | { readonly type: "drained" };
