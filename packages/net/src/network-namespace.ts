import { closeSync, openSync } from "node:fs";
import { libc } from "./libc.ts";

/** linux/sched.h */
const cloneNewNet = 0x4000_0000;

/**
 * Does something on the network of another process (network_namespaces(7)). A socket belongs for good to the network on which it was made,
 * so that this process can hold one there and hand it to a child. Only the calling thread goes there, and comes back before this
 * returns: nothing of `action` may be asynchronous.
 *
 * @throws Error when the network cannot be entered, which needs CAP_SYS_ADMIN; and whatever `action` throws
 */
export function onNetworkOf<T>(pid: number, action: () => T): T {
  const functions = libc();
  if (functions === undefined) throw new Error("this runtime has no node:ffi, by which another network is entered");
  const own = openSync("/proc/thread-self/ns/net", "r");
  try {
    const other = openSync(`/proc/${pid}/ns/net`, "r");
    try {
      if (functions.setns(other, cloneNewNet) !== 0) throw new Error(`the network of process ${pid} cannot be entered`);
      try {
        return action();
      } finally {
        // There is no going on elsewhere than where everybody believes to be.
        if (functions.setns(own, cloneNewNet) !== 0) process.abort();
      }
    } finally {
      closeSync(other);
    }
  } finally {
    closeSync(own);
  }
}
