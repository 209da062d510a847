/** How the client stands with its control plane. `connectedState` and the counters are Envoy's statistics. */
export interface AdsClientState {
  readonly phase: "idle" | "connecting" | "connected" | "backing-off" | "stopped";
  /** `control_plane.connected_state`. */
  readonly connectedState: 0 | 1;
  /** Why the last stream ended; undefined before the first end. */
  readonly lastError: string | undefined;
  /** Streams opened, and those that ended. */
  readonly streamsOpened: number;
  readonly streamsFailed: number;
  /** `control_plane.identifier`: who answered last. */
  readonly identifier: string;
  readonly types: readonly TypeState[];
}

export interface TypeState {
  readonly type: string;
  /** Number of names asked for, or all of them. */
  readonly subscribed: number | "*";
  /** Accepted resources. */
  readonly resources: number;
  /** The control plane's version of the last response that was accepted whole. */
  readonly version: string;
  /** Responses received, accepted whole, and refused at least in part. */
  readonly updateAttempt: number;
  readonly updateSuccess: number;
  readonly updateRejected: number;
  /** The last refusal, until a response of the type is accepted. */
  readonly rejection: string | undefined;
}
