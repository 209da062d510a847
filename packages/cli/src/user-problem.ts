import type { ExitCode } from "@heddle/core";
import { exitCodes } from "@heddle/core";

/**
 * Something that the person at the keyboard can put right. It ends the command with a message of at most three parts (what,
 * where, what to do) and an exit code, never with a stack trace.
 */
export class UserProblem extends Error {
  /** `mesh.yaml:12`, a path or an address; empty when the message says it. */
  readonly where: string;
  /** What to do about it; empty when there is nothing to say. */
  readonly hint: string;
  readonly exitCode: ExitCode;

  constructor(message: string, parts: { where?: string; hint?: string; exitCode?: ExitCode } = {}) {
    super(message);
    this.where = parts.where ?? "";
    this.hint = parts.hint ?? "";
    this.exitCode = parts.exitCode ?? exitCodes.negative;
  }
}
