/** The control plane as a process: `heddle control-plane`, and the child of `heddle up`. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Address } from "./control-plane.ts";
import { startControlPlane } from "./control-plane.ts";
import { JsonLogger } from "./json-logger.ts";
import { stateFolderName } from "./run-file.ts";
import { systemClock } from "./system-clock.ts";
import { parseLogLevel } from "@heddle/core";

const usage = `usage: control-plane --folder DIR [--state-dir DIR] [--xds-address HOST:PORT] [--admin-address HOST:PORT] [--log-level LEVEL]`;

const exitFailed = 1;
const exitUsage = 2;

function fail(message: string, code: number): never {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}

function readAddress(text: string, option: string): Address {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || Number(match?.[3]) > 65_535) fail(`--${option} takes host:port, not "${text}"\n${usage}`, exitUsage);
  return { host, port: Number(match?.[3]) };
}

function readOptions(): { folder: string; stateDir: string; xds: Address; admin: Address; level: ReturnType<typeof parseLogLevel> } {
  try {
    const { values } = parseArgs({
      options: {
        folder: { type: "string" },
        "state-dir": { type: "string" },
        "xds-address": { type: "string", default: "127.0.0.1:0" },
        "admin-address": { type: "string", default: "127.0.0.1:0" },
        "log-level": { type: "string", default: "info" },
      },
    });
    if (values.folder === undefined) return fail(`--folder is missing\n${usage}`, exitUsage);
    const folder = resolve(values.folder);
    return {
      folder,
      stateDir: resolve(values["state-dir"] ?? resolve(folder, stateFolderName)),
      xds: readAddress(values["xds-address"], "xds-address"),
      admin: readAddress(values["admin-address"], "admin-address"),
      level: parseLogLevel(values["log-level"]),
    };
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : String(error)}\n${usage}`, exitUsage);
  }
}

async function main(): Promise<void> {
  const { folder, stateDir, xds, admin, level } = readOptions();
  if (level === undefined) fail(`--log-level takes debug, info, warn, error or off\n${usage}`, exitUsage);
  const logger = new JsonLogger(level);
  let stop = (): void => process.exit(0);
  // The parent is gone: what it started must not outlive it.
  process.on("disconnect", () => stop());
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop());
  try {
    const running = await startControlPlane({ folder, stateDir, xdsAddress: xds, adminAddress: admin, clock: systemClock, logger });
    stop = () => {
      stop = () => process.exit(0);
      void running.stop().then(() => process.exit(0));
    };
    process.send?.({ kind: "ready", adminAddress: running.adminAddress, xdsAddress: running.xdsAddress });
  } catch (error) {
    fail(`the control plane cannot start: ${describe(error)}`, exitFailed);
  }
}

function describe(error: unknown): string {
  const { code, message, port, address } = error as NodeJS.ErrnoException & { port?: number; address?: string };
  if (code === "EADDRINUSE") return `port ${port} on ${address} is in use: end the program that listens there, or choose another address`;
  return message ?? String(error);
}

await main();
