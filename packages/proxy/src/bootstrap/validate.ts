import { exitCodes } from "@heddle/core";
import type { ProxyOptions } from "../options/options.ts";
import { loadBootstrap } from "./load.ts";

/** `--mode validate`: says what is wrong with a bootstrap, or that nothing is, and starts nothing. */
export async function validateBootstrap(options: Pick<ProxyOptions, "configPath" | "configYaml">): Promise<number> {
  const loaded = await loadBootstrap(options);
  if (loaded.bootstrap !== undefined) {
    process.stdout.write(`configuration '${options.configPath ?? "--config-yaml"}' OK\n`);
    return exitCodes.fine;
  }
  for (const line of loaded.report) process.stderr.write(`${line}\n`);
  return loaded.exitCode;
}
