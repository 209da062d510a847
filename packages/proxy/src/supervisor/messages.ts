/**
 * What supervisor and generation say to each other over the IPC channel between them (JSON). Listening sockets travel
 * beside `bound`, as descriptors.
 */
export type GenerationMessage =
  /** Give me the listening socket of this address; `key` names its user (a listener's name, `admin`). */
  | { readonly type: "bind"; readonly requestId: number; readonly key: string; readonly host: string; readonly port: number }
  /** Nobody uses this socket any more. */
  | { readonly type: "release"; readonly key: string; readonly host: string; readonly port: number }
  /** Initial listeners are bound and certificates are there. */
  | { readonly type: "ready" }
  /** `/quitquitquit` was asked for. */
  | { readonly type: "quit" }
  /** Starting again would not help: the bootstrap is refused, a port is taken. */
  | { readonly type: "fatal"; readonly exitCode: number };

export type SupervisorMessage =
  | { readonly type: "bound"; readonly requestId: number; readonly host: string; readonly port: number }
  | { readonly type: "bind-failed"; readonly requestId: number; readonly code: string; readonly message: string }
  /** Serve what is open, accept nothing new, be gone by the deadline. */
  | { readonly type: "drain"; readonly deadlineMs: number };

/** Exit codes of a proxy (design §5). */
export const exitCodes = { fine: 0, failed: 1, usage: 2, findings: 3 } as const;
