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
  /** `/quitquitquit` was asked for. */
  | { readonly type: "quit" }
  /** Starting again would not help: the bootstrap is refused, a port is taken. */
  | { readonly type: "fatal"; readonly exitCode: number };

/** Serve what is open, accept nothing new, be gone by the deadline. */
export interface SupervisorMessage {
  readonly type: "drain";
  readonly deadlineMs: number;
  /** Nobody takes over: the listening sockets are given up, so that clients are refused at once and can go elsewhere. */
  readonly isLast: boolean;
}

/** What a generation is started with, as JSON in its first argument. */
export interface GenerationSetup<Options> {
  readonly options: Options;
  /** Sockets held from before, with their descriptors in the new process. */
  readonly sockets: readonly (SocketName & { readonly fd: number })[];
}
