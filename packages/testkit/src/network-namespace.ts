import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";

interface ForeignFunctions {
  dlopen(
    path: null,
    definitions: Record<string, { arguments: string[]; return: string }>,
  ): { readonly functions: { unshare(flags: number): number } };
}

const cloneNewNet = 0x4000_0000;

/**
 * Moves this thread, and every thread and process that it starts from now on, into a network namespace of its own, in which only loopback is up. It is
 * gone when the last of them ends. Needs root and Linux.
 */
export function enterNetworkNamespace(): void {
  const ffi = createRequire(import.meta.url)("node:ffi") as ForeignFunctions;
  const { functions } = ffi.dlopen(null, { unshare: { arguments: ["i32"], return: "i32" } });
  if (functions.unshare(cloneNewNet) !== 0) throw new Error("unshare(CLONE_NEWNET) is refused: it needs root");
  execFileSync("ip", ["link", "set", "lo", "up"]);
}
