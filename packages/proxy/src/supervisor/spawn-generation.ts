import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { formatInheritedDescriptors, type InheritedDescriptors, listenDescriptorsVariable } from "@heddle/net";
import { compileCacheEnvironment } from "@heddle/state/compile-cache";
import { startFlags } from "../generation/runtime-flags.ts";
import type { ProxyOptions } from "../options/options.ts";
import type { GenerationSetup } from "./messages.ts";

const generationEntry = fileURLToPath(new URL("../generation/entry.ts", import.meta.url));

/** The number in the child of the first descriptor that is passed, after the standard streams and the IPC channel. */
export const firstPassed = 4;

/** `node:ffi`, which duplicates descriptors, is young, and says so; what it does is tested at start. */
const noNotice = "--disable-warning=ExperimentalWarning";

/**
 * Starts the process of a generation.
 *
 * @param inherited sockets of this process's parent, by address, under their numbers in the child
 * @param descriptors what the child gets, from `firstPassed` on
 */
export function spawnGeneration(
  setup: GenerationSetup<ProxyOptions>,
  inherited: InheritedDescriptors,
  descriptors: readonly number[],
): ChildProcess {
  return spawn(process.execPath, [noNotice, ...startFlags, generationEntry, JSON.stringify(setup)], {
    stdio: ["ignore", "inherit", "inherit", "ipc", ...descriptors],
    env: {
      ...process.env,
      [listenDescriptorsVariable]: formatInheritedDescriptors(inherited),
      // For all modules of all threads, the first ones included: a variable is the only way. Measured: 100 ms and 20 MB less.
      ...compileCacheEnvironment(process.env),
      // One for each thread that works. The C library would give each helper of the runtime one, too, and little comes back of what a
      // configuration took there while it was loaded (measured with 1,000 services: 10 to 20 MB less).
      MALLOC_ARENA_MAX: process.env["MALLOC_ARENA_MAX"] ?? String(setup.options.concurrency + 1),
    },
  });
}
