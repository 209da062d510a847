import { closeSync, constants, fchmodSync, openSync, writeSync } from "node:fs";
import type { TLSSocket } from "node:tls";

let write: ((line: Buffer) => void) | undefined;

/**
 * Writes the secrets of every later handshake of this thread to a file, in the format that Wireshark reads (draft-ietf-tls-keylogfile): whoever
 * has the file reads the traffic. For debugging, when somebody asks for it and at no other time.
 *
 * @returns what closes the file and ends the logging
 * @throws when the file cannot be opened, is a symbolic link, or cannot be made readable for its owner alone
 */
export function logTlsKeysTo(path: string): () => void {
  const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW } = constants;
  const descriptor = openSync(path, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW, 0o600);
  try {
    // The mode above is for a new file; one that is there may be open to others.
    fchmodSync(descriptor, 0o600);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  // One write a line: lines of several threads do not mix in a file that is appended to.
  write = (line) => void writeSync(descriptor, line);
  return () => {
    write = undefined;
    closeSync(descriptor);
  };
}

/** Has the secrets of this socket's handshake logged, where that was asked for. */
export function logKeysOf(socket: TLSSocket): void {
  if (write !== undefined) socket.on("keylog", write);
}
