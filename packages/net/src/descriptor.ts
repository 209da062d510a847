import { closeSync, fstatSync } from "node:fs";
import { Socket } from "node:net";
import { FastSocket } from "./fast-socket.ts";
import { libc } from "./libc.ts";

/**
 * A second descriptor of the same open socket, by dup(2): each worker closes its own, and two libuv loops never share one (closing a
 * shared one ends the process in an assertion).
 *
 * @returns undefined when the runtime offers no such call (one worker can still use the inherited descriptor itself) or the
 *   descriptor is not open
 */
export function duplicateDescriptor(descriptor: number): number | undefined {
  const copy = libc()?.dup(descriptor) ?? -1;
  return copy >= 0 ? copy : undefined;
}

/**
 * A duplicate to listen on. Without the call to make one it is the descriptor itself: right for one worker, which closes it when it ends.
 *
 * @throws the system's error when it is not open, and one with the code `EMFILE` when there is no room for another
 */
export function descriptorToListenOn(descriptor: number): number {
  if (libc() === undefined) return descriptor;
  const copy = duplicateDescriptor(descriptor);
  if (copy !== undefined) return copy;
  fstatSync(descriptor);
  throw Object.assign(new Error("too many open files"), { code: "EMFILE" });
}

/**
 * A connection of this process by its descriptor, which is the socket's from now on: half-open, not reading yet, as one that was accepted.
 *
 * @returns undefined when it is no connection any more; the descriptor is closed then
 */
export function adoptDescriptor(descriptor: number): FastSocket | undefined {
  try {
    // The types do not know `pauseOnCreate`.
    const options = { fd: descriptor, allowHalfOpen: true, pauseOnCreate: true };
    return FastSocket.accepted(new Socket(options));
  } catch {
    // What the descriptor stands for cannot be read or written: nobody is there to be served.
    releaseDescriptor(descriptor);
    return undefined;
  }
}

/** Closes a descriptor that `duplicateDescriptor` made and nobody uses. */
export function releaseDescriptor(descriptor: number): void {
  try {
    closeSync(descriptor);
  } catch {
    // It was closed with the socket that had begun to use it.
  }
}
