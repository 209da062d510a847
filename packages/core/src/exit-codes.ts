/** Exit codes of every command (design §5). */
export const exitCodes = {
  fine: 0,
  /** A check, a test or a question has a negative answer, or the command could not do what it was asked. */
  negative: 1,
  usage: 2,
  /** There are findings at or above the threshold. */
  findings: 3,
  /** Nothing that the command talks to could be reached. */
  unreachable: 4,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
