import { createRequire } from "node:module";

// `node:ffi` is young and announces itself with an ExperimentalWarning; it is loaded when a descriptor is duplicated and not before.

interface ForeignLibrary {
  readonly functions: { readonly dup: (descriptor: number) => number };
}

interface ForeignFunctions {
  dlopen(path: string | null, definitions: Record<string, { arguments: string[]; return: string }>): ForeignLibrary;
}

let duplicate: ((descriptor: number) => number) | undefined;
let isLoaded = false;

/**
 * A second descriptor of the same open socket, by dup(2) through `node:ffi`: each worker closes its own, and two libuv loops never share one (closing a
 * shared one ends the process in an assertion).
 *
 * @returns undefined when the runtime offers no such call or the descriptor is not open
 */
export function duplicateDescriptor(descriptor: number): number | undefined {
  if (!isLoaded) {
    isLoaded = true;
    duplicate = loadDuplicate();
  }
  const copy = duplicate?.(descriptor) ?? -1;
  return copy >= 0 ? copy : undefined;
}

function loadDuplicate(): ((descriptor: number) => number) | undefined {
  try {
    const ffi = createRequire(import.meta.url)("node:ffi") as ForeignFunctions;
    const { dup } = ffi.dlopen(null, { dup: { arguments: ["i32"], return: "i32" } }).functions;
    // The self-test of this edge: a descriptor that cannot exist must be refused, not crash.
    return dup(-1) === -1 ? dup : undefined;
  } catch {
    // Without node:ffi one worker can still use the inherited descriptor itself.
    return undefined;
  }
}
