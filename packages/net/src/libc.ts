import { createRequire } from "node:module";

/** The few calls of the C library that the runtime does not offer. Each returns -1 when it fails. */
export interface Libc {
  dup(descriptor: number): number;
  setns(descriptor: number, kind: number): number;
  setsockopt(descriptor: number, level: number, name: number, value: Uint8Array, bytes: number): number;
  /** @returns how many bytes were taken */
  send(descriptor: number, bytes: Uint8Array, length: number, flags: number): number;
  /** `bytes`: the size of `value`, 32 bits in the machine's order; overwritten with the size of the answer. */
  getsockopt(descriptor: number, level: number, name: number, value: Uint8Array, bytes: Uint8Array): number;
}

interface ForeignFunctions {
  dlopen(
    path: string | null,
    definitions: Record<string, { arguments: string[]; return: string }>,
  ): { readonly functions: Libc };
  getRawPointer(memory: Uint8Array): bigint;
}

let loaded: Libc | undefined;
let rawPointer: ForeignFunctions["getRawPointer"] | undefined;
let isLoaded = false;

/**
 * The C library through `node:ffi`. That is young, so it is loaded when a call is needed and not before.
 *
 * @returns undefined when the runtime offers no such thing
 */
export function libc(): Libc | undefined {
  if (isLoaded) return loaded;
  isLoaded = true;
  try {
    const ffi = loadForeignFunctions();
    rawPointer = (memory) => ffi.getRawPointer(memory);
    const { functions } = ffi.dlopen(null, {
      dup: { arguments: ["i32"], return: "i32" },
      setns: { arguments: ["i32", "i32"], return: "i32" },
      setsockopt: { arguments: ["i32", "i32", "i32", "buffer", "u32"], return: "i32" },
      send: { arguments: ["i32", "buffer", "u32", "i32"], return: "i32" },
      getsockopt: { arguments: ["i32", "i32", "i32", "buffer", "buffer"], return: "i32" },
    });
    // The self-test of this edge: a descriptor that cannot exist must be refused, not crash.
    if (functions.dup(-1) === -1 && functions.setsockopt(-1, 1, 9, Buffer.alloc(4), 4) === -1) loaded = functions;
  } catch {
    // Without node:ffi whoever asks gets undefined and says what is missing.
  }
  return loaded;
}

/** C's `int`s one behind the other, in the machine's order, as socket options take them. */
export function integers(...values: readonly number[]): Buffer {
  return Buffer.from(Int32Array.from(values).buffer);
}

/** Where a buffer lies, for a structure that refers to it; the caller keeps the buffer alive. undefined: the runtime does not tell. */
export function pointerTo(memory: Uint8Array): bigint | undefined {
  return libc() === undefined ? undefined : rawPointer?.(memory);
}

/** Without the runtime's warning that it is experimental: people who run a mesh can do nothing about it, and its self-test says what fails. */
function loadForeignFunctions(): ForeignFunctions {
  const emitWarning = Object.getOwnPropertyDescriptor(process, "emitWarning");
  process.emitWarning = () => undefined;
  try {
    return createRequire(import.meta.url)("node:ffi") as ForeignFunctions;
  } finally {
    if (emitWarning !== undefined) Object.defineProperty(process, "emitWarning", emitWarning);
  }
}
