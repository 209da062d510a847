import { closeSync, constants, fchmodSync, openSync, writeSync } from "node:fs";
import type { TLSSocket } from "node:tls";

let descriptor: number | undefined;

/**
 * Writes the secrets of every later handshake of this thread to a file, in the format that Wireshark reads (draft-ietf-tls-keylogfile): whoever
 * has the file reads the traffic. For debugging, when somebody asks for it and at no other time.
 *
 * @throws when the file cannot be opened, is a symbolic link, or cannot be made readable for its owner alone
 */
export function logTlsKeysTo(path: string): void {
  descriptor = openKeyLog(path);
}

/** @throws as {@link logTlsKeysTo} would; nothing is logged */
export function checkTlsKeyLog(path: string): void {
  closeSync(openKeyLog(path));
}

function openKeyLog(path: string): number {
  const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW } = constants;
  const opened = openSync(path, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW, 0o600);
  try {
    // The mode above is for a new file; one that is there may be open to others.
    fchmodSync(opened, 0o600);
  } catch (error) {
    closeSync(opened);
    throw error;
  }
  return opened;
}

/** Has the secrets of this socket's handshake logged, where that was asked for. */
export function logKeysOf(socket: TLSSocket): void {
  if (descriptor !== undefined) socket.on("keylog", logLine);
}

function logLine(line: Buffer): void {
  try {
    // One write a line: lines of several threads do not mix in a file that is appended to.
    if (descriptor !== undefined) writeSync(descriptor, line);
  } catch {
    // A full disk ends what is for debugging, and never the connection: OpenSSL calls this in the middle of its handshake.
  }
}
