import type { Logger, RandomSource } from "@heddle/core";
import type { Action, LiveState, Snapshot } from "@heddle/engine";
import type { ClientTlsContexts, Http1Transport } from "@heddle/upstream";
import type { HttpDate } from "./http-date.ts";
import type { WorkerMetrics } from "./metrics.ts";
import type { Mirrors } from "./mirror.ts";
import type { PeerMetadataCodec } from "./peer-metadata.ts";
import type { Timers } from "./timers.ts";

/** What all connections and requests of one worker share. */
export interface WorkerContext {
  /** Replaced when configuration changes; a request keeps the one it began with. */
  snapshot: Snapshot;
  readonly live: LiveState;
  /** What the engine's last step decided; the next step overwrites it. */
  readonly action: Action;
  readonly random: RandomSource;
  readonly timers: Timers;
  readonly transport: Http1Transport;
  readonly upstreamTls: ClientTlsContexts;
  readonly mirrors: Mirrors;
  readonly peerMetadata: PeerMetadataCodec;
  readonly metrics: WorkerMetrics;
  readonly date: HttpDate;
  readonly logger: Logger;
  isDraining: boolean;
}
