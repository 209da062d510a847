import { type Command, CommanderError } from "commander";
import { exitCodes } from "@heddle/core";
import { formatProblem } from "../output/problem.ts";
import { UserProblem } from "../user-problem.ts";
import { buildProgram } from "./tree.ts";

/** Runs one command line (the words after `heddle`) and returns the exit code. */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  // `heddle completion bash | head` is fine: the reader has what it wanted.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(exitCodes.fine);
    throw error;
  });
  let exitCode: number = exitCodes.fine;
  const program = buildProgram((code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(wordsToParse(program, words), { from: "user" });
    return exitCode;
  } catch (error) {
    // Help and version end the parse, too; whatever else commander stops for is a wrong command line, and it has said so.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.fine : exitCodes.usage;
    if (error instanceof UserProblem) {
      process.stderr.write(formatProblem(error));
      return error.exitCode;
    }
    const { code, syscall, message } = error as NodeJS.ErrnoException;
    // What the system refuses (a folder that may not be written, a full disk) is no bug: its message names what and where.
    if (code === undefined || syscall === undefined) throw error;
    process.stderr.write(
      formatProblem(new UserProblem(message, { hint: "Put right what the system says, and try again." })),
    );
    return exitCodes.negative;
  }
}

/** Alone it is a call for help; help for what is no command is as wrong as the command itself, of which commander would say nothing. */
function wordsToParse(program: Command, words: readonly string[]): readonly string[] {
  const [first, wanted] = words;
  if (first === undefined) return ["help"];
  if (first !== "help" || wanted === undefined || wanted === "help" || wanted.startsWith("-")) return words;
  return program.commands.some((command) => command.name() === wanted) ? words : [wanted];
}
