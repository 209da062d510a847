/** The control plane as a process: `heddle control-plane`, and the child of `heddle up`. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { MeshSettings } from "@heddle/compiler";
import type { LogLevel } from "@heddle/core";
import { errorCodes, formatSpiffeId, parseLogLevel, parseSpiffeId } from "@heddle/core";
import type { SocketAddress } from "@heddle/net";
import { formatAddress, listenDescriptorsVariable, parseInheritedDescriptors } from "@heddle/net";
import type { RunningControlPlane } from "./control-plane.ts";
import { startControlPlane } from "./control-plane.ts";
import { JsonLogger } from "./json-logger.ts";
import { stateFolderName } from "./run-file.ts";
import { systemClock } from "./system-clock.ts";

const usage = `Usage: heddle control-plane --folder DIR [--state-dir DIR] [--xds-address HOST:PORT] [--admin-address HOST:PORT] [--trust-domain NAME --root-namespace NAME] [--log-level LEVEL]; heddle control-plane --help says more.`;

const exitFailed = 1;
const exitUsage = 2;

class UsageError extends Error {}

interface Options {
  readonly folder: string;
  readonly stateDir: string;
  readonly xdsAddress: SocketAddress;
  readonly xdsDescriptor?: number;
  readonly adminAddress: SocketAddress;
  readonly settings?: MeshSettings;
  readonly level: LogLevel;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      folder: { type: "string" },
      "state-dir": { type: "string" },
      "xds-address": { type: "string", default: "127.0.0.1:0" },
      "admin-address": { type: "string", default: "127.0.0.1:0" },
      "trust-domain": { type: "string" },
      "root-namespace": { type: "string" },
      "log-level": { type: "string", default: "info" },
    },
  });
  if (values.folder === undefined) throw new UsageError("--folder is missing");
  const folder = resolve(values.folder);
  const level = parseLogLevel(values["log-level"]);
  if (level === undefined) throw new UsageError("--log-level takes debug, info, warn, error or off");
  const xdsAddress = readAddress(values["xds-address"], "xds-address");
  return {
    folder,
    stateDir: resolve(values["state-dir"] ?? resolve(folder, stateFolderName)),
    xdsAddress,
    ...findInherited(xdsAddress),
    adminAddress: readAddress(values["admin-address"], "admin-address"),
    ...readSettings(values["trust-domain"], values["root-namespace"]),
    level,
  };
}

/** The socket that a parent holds for the address. */
function findInherited({ host, port }: SocketAddress): Pick<Options, "xdsDescriptor"> | undefined {
  const inherited = parseInheritedDescriptors(process.env[listenDescriptorsVariable]);
  if (inherited === undefined) throw new UsageError(`${listenDescriptorsVariable} is malformed`);
  const descriptor = inherited.get(formatAddress(host, port));
  return descriptor === undefined ? undefined : { xdsDescriptor: descriptor };
}

function readSettings(
  trustDomain: string | undefined,
  rootNamespace: string | undefined,
): Pick<Options, "settings"> | undefined {
  if (trustDomain === undefined && rootNamespace === undefined) return undefined;
  if (trustDomain === undefined || rootNamespace === undefined)
    throw new UsageError("--trust-domain and --root-namespace go together");
  if (parseSpiffeId(formatSpiffeId(trustDomain, rootNamespace, "any")) === undefined)
    throw new UsageError(`--trust-domain and --root-namespace make no identity: ${trustDomain}, ${rootNamespace}`);
  return { settings: { trustDomain, rootNamespace } };
}

/** A host may be a name here, `localhost` above all; which address it has is asked when the port is opened. */
function readAddress(text: string, option: string): SocketAddress {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) throw new UsageError(`--${option} takes host:port, not "${text}"`);
  return { host, port };
}

function fail(message: string, code: number): never {
  process.stderr.write(`heddle: ${message}\n`);
  process.exit(code);
}

async function main(): Promise<void> {
  let options: Options;
  try {
    options = readOptions();
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : String(error)}\n→ ${usage}`, exitUsage);
  }
  const { level, ...where } = options;
  const logger = new JsonLogger(level);
  const stopping = Promise.withResolvers<string>();
  let isStopping = false;
  const stop = (reason: string): void => {
    // Asked twice, or before it runs: there is nothing worth waiting for.
    if (isStopping) process.exit(0);
    isStopping = true;
    stopping.resolve(reason);
  };
  // The parent is gone: what it started must not outlive it. It may have gone before anybody listened.
  process.on("disconnect", () => stop("the parent is gone"));
  if (process.send !== undefined && !process.connected) return;
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop(signal));

  let running: RunningControlPlane;
  try {
    running = await startControlPlane({ ...where, clock: systemClock, logger });
  } catch (error) {
    return fail(`the control plane cannot start: ${describe(error)}`, exitFailed);
  }
  announce(running);
  logger.info("control plane stopping", { reason: await stopping.promise });
  await running.stop();
  process.exit(0);
}

function announce({ adminAddress, xdsAddress }: RunningControlPlane): void {
  if (process.send === undefined || !process.connected) return;
  process.send({ kind: "ready", adminAddress, xdsAddress }, undefined, undefined, () => {
    // The parent went away in between; "disconnect" says so, too.
  });
}

function describe(error: unknown): string {
  const { code, message, port, address } = error as NodeJS.ErrnoException & { port?: number; address?: string };
  if (code !== "EADDRINUSE") return error instanceof Error ? message : String(error);
  return `${errorCodes.port_in_use.text}: ${address}:${port}. ${errorCodes.port_in_use.hint}`;
}

await main();
