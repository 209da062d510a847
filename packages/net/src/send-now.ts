import { libc } from "./libc.ts";

// MSG_DONTWAIT and MSG_NOSIGNAL of Linux (sys/socket.h).
const neitherWaitNorSignal = 0x40 | 0x40_00;

/**
 * Hands bytes to the kernel at once (send(2)): unlike the runtime's write it never looks at them again.
 *
 * @returns how many the kernel took: 0 also when it refused them, which the next write of the runtime is told with its reason
 */
export function sendNow(descriptor: number, bytes: Uint8Array): number {
  const taken = libc()?.send(descriptor, bytes, bytes.length, neitherWaitNorSignal) ?? 0;
  return Math.max(taken, 0);
}
