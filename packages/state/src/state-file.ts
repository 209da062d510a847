import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, chmodSync, readdirSync, rmSync, statSync } from "node:fs";
import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isAlive } from "./process-identity.ts";

/**
 * What a state file turned out to be. `newer` must stop the process from writing there: an older Heddle would
 * destroy what a newer one wrote (design §5, "State on disk").
 */
export type StateFileContent =
  | { kind: "read"; payload: Buffer }
  | { kind: "absent" }
  | { kind: "newer"; formatVersion: number }
  | { kind: "corrupt"; reason: string; movedTo: string };

interface Header {
  heddleState: string;
  formatVersion: number;
  sha256: string;
}

/** Longest first line that is read as a header: a foreign file is not searched for a line end. */
const maxHeaderBytes = 512;

/**
 * Replaces a file so that a reader sees the old content or the new, whole: write beside it, fsync, rename, fsync
 * the directory. Mode 0600.
 *
 * @param name what the file holds, checked when it is read
 */
export async function writeStateFile(
  path: string,
  name: string,
  formatVersion: number,
  payload: Buffer,
): Promise<void> {
  const header: Header = { heddleState: name, formatVersion, sha256: sha256(payload) };
  await replaceFile(path, Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), payload]));
}

/**
 * The atomic half of `writeStateFile`, for files in a format of their own.
 *
 * @param owner who may read it; by default this process's user
 */
export async function replaceFile(
  path: string,
  content: Buffer | string,
  owner?: { readonly uid: number; readonly gid: number },
): Promise<void> {
  // A name of its own for each write: two writers of one path, in one process or in two, would write into each other's file.
  const temporary = `${path}.${process.pid}-${randomBytes(6).toString("hex")}.tmp`;
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      if (owner !== undefined) await file.chown(owner.uid, owner.gid);
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const directory = await open(dirname(path), "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/**
 * Reads a file that `writeStateFile` wrote. One that cannot be trusted (no header, wrong checksum, another name) is
 * moved to `<path>.corrupt-<time>` and reported, so that it can be rebuilt and still be looked at.
 *
 * @param formatVersion the newest format that the caller understands
 * @param wallMs epoch milliseconds, for the name of a file moved aside
 */
export async function readStateFile(
  path: string,
  name: string,
  formatVersion: number,
  wallMs: number,
): Promise<StateFileContent> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { kind: "absent" };
    throw error;
  }
  const lineEnd = bytes.subarray(0, maxHeaderBytes).indexOf(0x0a);
  const header = lineEnd < 0 ? undefined : parseHeader(bytes.toString("utf8", 0, lineEnd));
  if (header === undefined) return moveAside(path, "it has no state file header", wallMs);
  if (header.heddleState !== name) return moveAside(path, `it holds ${header.heddleState}, not ${name}`, wallMs);
  if (header.formatVersion > formatVersion) return { kind: "newer", formatVersion: header.formatVersion };
  const payload = bytes.subarray(lineEnd + 1);
  if (sha256(payload) !== header.sha256) return moveAside(path, "its checksum does not match", wallMs);
  return { kind: "read", payload };
}

/** Takes an unusable file out of the way of the one that will replace it. */
export async function moveAside(path: string, reason: string, wallMs: number): Promise<StateFileContent> {
  const movedTo = `${path}.corrupt-${new Date(wallMs).toISOString().replaceAll(":", "-")}`;
  await rename(path, movedTo);
  return { kind: "corrupt", reason, movedTo };
}

/**
 * Makes the directory, or tightens the one that is there: it holds a private key. Removes what writers that were killed in the
 * middle of a `replaceFile` left in it.
 */
export function prepareStateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o700);
  for (const name of readdirSync(path)) {
    const pid = temporaryName.exec(name)?.[1];
    // Of a process id that another program has by now, its file stays until the next start: too much is better than too little here.
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(path, name), { force: true });
  }
}

const temporaryName = /\.(\d+)-[0-9a-f]{12}\.tmp$/;

function parseHeader(line: string): Header | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // Not JSON is not a header: the caller says so.
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { heddleState, formatVersion, sha256: checksum } = value as Record<string, unknown>;
  if (typeof heddleState !== "string" || typeof formatVersion !== "number" || typeof checksum !== "string")
    return undefined;
  return { heddleState, formatVersion, sha256: checksum };
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
