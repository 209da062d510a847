import { mkdir, readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { dirname, join, resolve } from "node:path";
import { replaceFile, StateIsNewer } from "@heddle/state";

/** The newest format that this version reads and writes. */
export const runFileVersion = 1;

/** Where a running control plane of a folder is found: `<folder>/.heddle/run.json`, mode 0600 (design §5). */
export interface RunFile {
  readonly formatVersion: typeof runFileVersion;
  readonly pid: number;
  /** Epoch milliseconds. */
  readonly startTimeMs: number;
  /** host:port of the admin API (HTTP on loopback). */
  readonly adminAddress: string;
  /** host:port of xDS and certificate signing (TLS). */
  readonly xdsAddress: string;
  /** Bearer token of the admin API. */
  readonly token: string;
}

export const stateFolderName = ".heddle";

function runFilePath(stateDir: string): string {
  return join(stateDir, "run.json");
}

export async function writeRunFile(stateDir: string, run: RunFile): Promise<void> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  await replaceFile(runFilePath(stateDir), `${JSON.stringify(run, undefined, 2)}\n`);
}

/** Removes the run file unless another process has written its own since. */
export async function removeRunFile(stateDir: string, pid: number): Promise<void> {
  const found = await readRunFile(stateDir);
  if (found.kind === "found" && found.run.pid === pid) await rm(runFilePath(stateDir), { force: true });
}

export type FoundRun =
  | { readonly kind: "found"; readonly path: string; readonly run: RunFile }
  | { readonly kind: "absent" }
  /** A newer Heddle wrote it. */
  | { readonly kind: "newer"; readonly path: string; readonly formatVersion: number }
  | { readonly kind: "unreadable"; readonly path: string; readonly reason: string };

/** Reads the run file of one state directory. Rejects never but for a bug: what is wrong with the file comes back. */
export async function readRunFile(stateDir: string): Promise<FoundRun> {
  const path = runFilePath(stateDir);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { kind: "absent" };
    return { kind: "unreadable", path, reason: error instanceof Error ? error.message : String(error) };
  }
  try {
    const run = JSON.parse(text) as Partial<RunFile>;
    const { formatVersion } = run as { formatVersion?: unknown };
    if (typeof formatVersion === "number" && formatVersion > runFileVersion)
      return { kind: "newer", path, formatVersion };
    if (formatVersion !== runFileVersion) return { kind: "unreadable", path, reason: "it has no format version" };
    if (typeof run.adminAddress !== "string" || typeof run.token !== "string" || typeof run.pid !== "number") {
      return { kind: "unreadable", path, reason: "adminAddress, token or pid is missing" };
    }
    return { kind: "found", path, run: run as RunFile };
  } catch {
    return { kind: "unreadable", path, reason: "it is not JSON" };
  }
}

/** Long for a process on this machine, short for one who waits for a start. */
const answerTimeoutMs = 1000;

/** Another control plane serves from the state directory. */
export class AlreadyRunning extends Error {}

/**
 * Two control planes over one state directory would write over each other's tokens, and at first sight make two roots. Rejects
 * with `AlreadyRunning`, or with `StateIsNewer` when a newer Heddle wrote the run file: whether it runs, this one cannot tell.
 */
export async function requireAlone(stateDir: string): Promise<void> {
  const found = await readRunFile(stateDir);
  if (found.kind === "newer") throw new StateIsNewer(found.path, found.formatVersion, runFileVersion);
  if (found.kind !== "found" || !(await isAnswering(found.run))) return;
  throw new AlreadyRunning(
    `another control plane (process ${found.run.pid}) runs with the state folder ${stateDir}: end it first, or use another --state-dir`,
  );
}

/**
 * Whether the process that wrote a run file still serves. Asked over its admin API, which knows the token: a process id or a port
 * may belong to somebody else by now.
 */
function isAnswering({ adminAddress, token }: RunFile): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request(
      `http://${adminAddress}/api/v1/findings`,
      { agent: false, timeout: answerTimeoutMs, headers: { authorization: `Bearer ${token}` } },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      },
    );
    call.on("timeout", () => call.destroy(new Error("no answer in time")));
    call.on("error", () => resolve(false));
    call.end();
  });
}

/** Looks for a run file from `folder` upward; whoever wrote it may be gone. */
export async function findRun(folder: string): Promise<FoundRun> {
  for (let current = resolve(folder); ; current = dirname(current)) {
    const found = await readRunFile(join(current, stateFolderName));
    if (found.kind !== "absent" || dirname(current) === current) return found;
  }
}
