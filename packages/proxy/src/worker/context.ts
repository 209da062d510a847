import type { Logger, RandomSource } from "@heddle/core";
import type { Action, BoundMirror, LiveState, RequestRecord, Snapshot } from "@heddle/engine";
import type { HeaderList, RequestHead } from "@heddle/http";
import type { ClientTlsContexts, PooledTransport, Tunnels } from "@heddle/upstream";
import type { RequestTaps } from "../tap/request-taps.ts";
import type { AccessLogs } from "./access-logs.ts";
import type { HttpDate } from "./http-date.ts";
import type { WorkerMetrics } from "./metrics.ts";
import type { PeerMetadataCodec } from "./peer-metadata.ts";
import type { ConnectionHost } from "./pending-connection.ts";
import type { RequestBody } from "./request-body.ts";
import type { Timers } from "./timers.ts";
import type { WorkerLoad } from "./worker-load.ts";

/** What is copied to mirrors: a request that has arrived whole. */
export interface MirrorSource {
  readonly req: RequestRecord;
  readonly head: RequestHead | undefined;
  readonly body: RequestBody;
  readonly mirrors: readonly BoundMirror[];
  readonly announcement: string | undefined;
}

export interface RequestMirror {
  send(worker: WorkerContext, source: MirrorSource, trailers: HeaderList | undefined): void;
}

/** What all connections and requests of one worker share. */
export interface WorkerContext {
  /** Replaced when configuration changes; a request keeps the one it began with. */
  snapshot: Snapshot;
  readonly live: LiveState;
  /** What the engine's last step decided; the next step overwrites it. */
  readonly action: Action;
  readonly random: RandomSource;
  readonly timers: Timers;
  readonly transport: PooledTransport;
  readonly tunnels: Tunnels;
  /** A listener of this worker, by name. */
  readonly listenerNamed: (name: string) => ConnectionHost | undefined;
  readonly upstreamTls: ClientTlsContexts;
  /** An endpoint, by its key, has said in an answer that it is not well: it is out until its check finds it well. */
  readonly failEndpoint: (cluster: string, endpoint: string) => void;
  readonly mirrors: RequestMirror;
  readonly peerMetadata: PeerMetadataCodec;
  readonly metrics: WorkerMetrics;
  readonly load: WorkerLoad;
  /** The number of this thread among the workers, from 0. */
  readonly index: number;
  readonly accessLogs: AccessLogs;
  readonly taps: RequestTaps;
  readonly date: HttpDate;
  readonly logger: Logger;
  /** What is answered is told to be the last on its connection. */
  isDraining: boolean;
}
