import type { CarriedSeries } from "@heddle/telemetry";

/** A listening socket as its users know it: who listens, where it was asked for, and which port the kernel gave. */
export interface SocketName {
  /** A listener's name, or `admin`. */
  readonly key: string;
  /** As configured; port 0: any. */
  readonly host: string;
  readonly port: number;
  readonly boundPort: number;
}

/** What a generation says to its supervisor over the IPC channel (JSON). */
export type GenerationMessage =
  /** Keep this socket, whose descriptor comes beside the message, for the generations after me. */
  | ({ readonly type: "hold" } & SocketName)
  /** Nobody uses this socket any more, nor will. One that the supervisor's parent gave is closed here, too. */
  | ({ readonly type: "release" } & SocketName)
  /** Initial listeners are bound and certificates are there. */
  | { readonly type: "ready" }
  | CountersMessage
  /** `/quitquitquit` was asked for. */
  | { readonly type: "quit" }
  /** Starting again would not help: the bootstrap is refused, a port is taken. */
  | { readonly type: "fatal"; readonly exitCode: number; readonly reason: string };

/** What a retiring generation has counted: all of it at first, then what has changed. */
export interface CountersMessage {
  readonly type: "counters";
  readonly series: readonly CarriedSeries[];
  /** It will count no more. */
  readonly isFinal: boolean;
  /** Numbers of the generations whose last word these counters include. */
  readonly folded: readonly number[];
}

export interface DrainMessage {
  readonly type: "drain";
  readonly deadlineMs: number;
  /** Nobody takes over: the listening sockets are given up, so that clients are refused at once and can go elsewhere. */
  readonly isLast: boolean;
}

/** What a supervisor says to a generation. */
export type SupervisorMessage =
  /** Serve what is open, accept nothing new, be gone by the deadline. */
  | DrainMessage
  /** Add to your own counters what a generation before you counted; each message replaces what the last one said of its series. */
  | {
      readonly type: "carried";
      readonly generation: number;
      readonly series: readonly CarriedSeries[];
      readonly isFinal: boolean;
    }
  /** Nobody else answers on the admin port any more, and what was counted before has been said. */
  | { readonly type: "take-over" };

/** A generation's place among those of its supervisor. */
export interface Lineage {
  /** Another generation serves until this one is ready: its admin port is its own until then. */
  readonly hasPredecessor: boolean;
  /** Envoy's restart epoch: 0 for the first generation, also after a crash one more. */
  readonly epoch: number;
  /** When the first one was started, in milliseconds of the epoch. */
  readonly startedAtMs: number;
}

/** What a generation is started with, as JSON in its first argument. */
export interface GenerationSetup<Options> {
  readonly options: Options;
  readonly lineage: Lineage;
  /** Sockets held from before, with their descriptors in the new process. */
  readonly sockets: readonly (SocketName & { readonly fd: number })[];
}
