import { libc, pointerTo } from "./libc.ts";

const solSocket = 1;
const soAttachFilter = 26;

/** SYN without ACK is dropped, everything else passes. The filter of a TCP socket sees the segment from its TCP header on; the flags are byte 13. */
const instructions: readonly (readonly [code: number, ifTrue: number, ifFalse: number, value: number])[] = [
  [0x30, 0, 0, 13], // load the byte at 13
  [0x54, 0, 0, 0x12], // of it SYN and ACK
  [0x15, 0, 1, 0x02], // SYN alone?
  [0x06, 0, 0, 0], // drop
  [0x06, 0, 0, 0xff_ff_ff_ff], // pass the whole segment
];
const instructionBytes = 8;

/**
 * Has the kernel begin no more connections on a listening socket (Linux, socket(7), SO_ATTACH_FILTER). Those that have begun are completed and
 * can still be accepted, so that the socket can be closed a moment later without resetting anybody; a client that comes
 * meanwhile asks again after a second, and is refused then. It cannot be undone here.
 *
 * @returns false where there is no such thing
 */
export function beginNoConnections(descriptor: number): boolean {
  const functions = libc();
  if (process.platform !== "linux" || functions === undefined) return false;
  const program = Buffer.alloc(instructions.length * instructionBytes);
  instructions.forEach(([code, ifTrue, ifFalse, value], index) => {
    const at = index * instructionBytes;
    program.writeUInt16LE(code, at);
    program.writeUInt8(ifTrue, at + 2);
    program.writeUInt8(ifFalse, at + 3);
    program.writeUInt32LE(value, at + 4);
  });
  const address = pointerTo(program);
  if (address === undefined) return false;
  // struct sock_fprog: the number of instructions, and where they are.
  const description = Buffer.alloc(16);
  description.writeUInt16LE(instructions.length, 0);
  description.writeBigUInt64LE(address, 8);
  const status = functions.setsockopt(descriptor, solSocket, soAttachFilter, description, description.length);
  // The kernel has copied the program by now; until then nothing else refers to it, and it must not be collected.
  return status === 0 && program.length > 0;
}
