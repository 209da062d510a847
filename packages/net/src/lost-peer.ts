import type { Socket } from "node:net";
import type { HandleAddress } from "./runtime-edges.ts";
import { handleOf } from "./runtime-edges.ts";

/** Never read: only whether there is an answer matters. */
const ignored: HandleAddress = {};

/**
 * Whether the kernel has given up an established connection: the peer reset it, or did not answer for too long. A peer that only closed its sending
 * half is not lost.
 *
 * It is asked for the peer's name, which it refuses once there is none (getpeername(2), ENOTCONN). Unlike SO_ERROR the answer cannot have been
 * taken by an earlier write, and unlike poll(2) and TCP_INFO it is the same on every system. One system call; a handle that cannot say counts
 * as not lost.
 */
export function isPeerLost(socket: Socket): boolean {
  const status = handleOf(socket)?.getpeername?.(ignored);
  return typeof status === "number" && status < 0;
}
