import { existsSync, readdirSync } from "node:fs";
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
 * Lets a process open no more beside what it has open than `spare`, until the function that is returned is called. Needs Linux.
 *
 * @throws Error when the process is not one of this user
 */
export function refuseDescriptors(pid: number, spare = 0): () => void {
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
  const few = Buffer.from(before);
  few.writeBigUInt64LE(BigInt(numbersWith(pid, spare)));
  exchange(few, undefined);
  return () => exchange(before, undefined);
}

/** How many numbers there must be, from 0 on, for so many to be free. */
function numbersWith(pid: number, spare: number): number {
  const folder = `/proc/${pid}/fd`;
  // Not the one by which this process looks at its own.
  const taken = new Set(readdirSync(folder).filter((number) => existsSync(`${folder}/${number}`)));
  let count = 0;
  for (let free = 0; free < spare; count += 1) if (!taken.has(String(count))) free += 1;
  return count;
}
