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
