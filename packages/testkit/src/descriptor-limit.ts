import { createRequire } from "node:module";

interface ForeignFunctions {
  dlopen(
    path: null,
    definitions: Record<string, { arguments: string[]; return: string }>,
  ): { readonly functions: { prlimit(pid: number, resource: number, limit: bigint, old: bigint): number } };
  getRawPointer(memory: Uint8Array): bigint;
}

/** RLIMIT_NOFILE. */
const openFiles = 7;
const nowhere = 0n;

/**
 * Lets a process open nothing beside what it has open, until the function that is returned is called. Needs Linux.
 *
 * @throws Error when the process is not one of this user
 */
export function refuseDescriptors(pid: number): () => void {
  const ffi = createRequire(import.meta.url)("node:ffi") as ForeignFunctions;
  const { functions } = ffi.dlopen(null, {
    prlimit: { arguments: ["i32", "i32", "pointer", "pointer"], return: "i32" },
  });
  const exchange = (limit: Buffer | undefined, old: Buffer | undefined): void => {
    const [next, before] = [limit, old].map((memory) => (memory === undefined ? nowhere : ffi.getRawPointer(memory)));
    if (functions.prlimit(pid, openFiles, next ?? nowhere, before ?? nowhere) !== 0)
      throw new Error(`prlimit(2) of process ${pid} is refused`);
  };
  // `struct rlimit`: the limit that holds, and the one up to which the process may raise it, of 64 bits each.
  const before = Buffer.alloc(16);
  exchange(undefined, before);
  const none = Buffer.from(before);
  none.writeBigUInt64LE(0n);
  exchange(none, undefined);
  return () => exchange(before, undefined);
}
