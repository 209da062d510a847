import { execFile } from "node:child_process";
import { systemEnvironment, systemProgram } from "./system-program.ts";

/** A system command failed; the message holds what it said. */
export class CommandFailed extends Error {}

const limitMs = 20_000;

/** Runs a system command to its end and returns what it printed. @throws CommandFailed (as a rejection) */
export function runCommand(argv: readonly string[], input = ""): Promise<string> {
  const [program = "", ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = execFile(
      systemProgram(program),
      args,
      { timeout: limitMs, encoding: "utf8", env: systemEnvironment() },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        const words = stderr.trim().split("\n").at(-1) ?? "";
        reject(new CommandFailed(`${program}: ${words === "" ? error.message : words}`));
      },
    );
    // It may have ended before it read.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });
}
