import { parseCommandLine, runSupervisor } from "@heddle/proxy";
import { exitCodes } from "../exit-codes.ts";

/** Runs a proxy until it is told to stop; returns its exit code. */
export async function runProxy(words: readonly string[]): Promise<number> {
  const { options, problem } = parseCommandLine(words);
  if (options === undefined) {
    process.stderr.write(`heddle proxy: ${problem}\nSee \`heddle proxy --help\`.\n`);
    return exitCodes.usage;
  }
  return runSupervisor(options);
}
