import { parseCommandLine, parseRestart, proxyUsage } from "./options/command-line.ts";
import { exitCodes } from "@heddle/core";

/**
 * `heddle proxy`: reads the words after it and runs the proxy until it ends. Everything beyond the supervisor is loaded in
 * the child process that it starts.
 *
 * @returns the exit code: 0 ended, or restarted, as told; 1 could not start, or the old proxy goes on; 2 wrong usage; 3 the bootstrap is
 *   refused; 4 there is no proxy to restart
 */
export async function runProxy(argv: readonly string[]): Promise<number> {
  if (argv.includes("--help") || argv.includes("-h")) {
    process.stdout.write(`${proxyUsage}\n`);
    return exitCodes.fine;
  }
  if (argv.includes("--restart")) {
    const parsed = parseRestart(argv);
    if (parsed.stateDir === undefined) return refuse(parsed.problem);
    const { restartProxy } = await import("./supervisor/restart.ts");
    return restartProxy(parsed.stateDir);
  }
  const { options, problem } = parseCommandLine(argv);
  if (options === undefined) return refuse(problem);
  if (options.mode === "validate") {
    const { validateBootstrap } = await import("./bootstrap/validate.ts");
    return validateBootstrap(options);
  }
  if (options.tlsKeyLogFile !== undefined && !(await announceKeyLog(options.tlsKeyLogFile))) return exitCodes.negative;
  const { runSupervisor } = await import("./supervisor/supervisor.ts");
  return runSupervisor(options);
}

function refuse(problem: string): number {
  process.stderr.write(`heddle: ${problem}\n→ heddle proxy --help says more.\n`);
  return exitCodes.usage;
}

/** Said whatever the log level is, and before anything is served. @returns whether the file can be written */
async function announceKeyLog(file: string): Promise<boolean> {
  const { checkTlsKeyLog } = await import("@heddle/net");
  try {
    checkTlsKeyLog(file);
  } catch (error) {
    process.stderr.write(`heddle: --tls-key-log: ${(error as Error).message}\n`);
    return false;
  }
  process.stderr.write(
    `\nheddle: WARNING: the secrets of every TLS session are written to ${file}.\n` +
      "heddle: WARNING: whoever reads that file can read the traffic. Use it for debugging, and delete it.\n\n",
  );
  return true;
}
