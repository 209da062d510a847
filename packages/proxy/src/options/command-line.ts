import { parseArgs } from "node:util";
import type { LogLevel } from "@heddle/core";
import { type CaOptions, defaultOptions, type ProxyOptions } from "./options.ts";

/** A command line that was understood, or what is wrong with it in words for its author. */
export type ParsedCommandLine = { options: ProxyOptions; problem: undefined } | { options: undefined; problem: string };

const flags = {
  "config-path": { type: "string", short: "c" },
  "config-yaml": { type: "string" },
  "state-dir": { type: "string" },
  "ca-address": { type: "string" },
  "ca-token-file": { type: "string" },
  "ca-trust-bundle": { type: "string" },
  identity: { type: "string" },
  mode: { type: "string" },
  concurrency: { type: "string" },
  "log-level": { type: "string", short: "l" },
  "drain-time-s": { type: "string" },
  "accept-time-s": { type: "string" },
  "parent-shutdown-time-s": { type: "string" },
  "start-time-s": { type: "string" },
  "tls-key-log": { type: "string" },
  "service-node": { type: "string" },
  "service-cluster": { type: "string" },
} as const;

export const proxyUsage = `Usage: heddle proxy -c <bootstrap> [flags]
       heddle proxy --restart --state-dir <folder>

  --restart hands the running proxy of that state directory over to a new one, which reads the bootstrap again
  and listens on the same sockets; no request is lost. SIGHUP does the same.

  -c, --config-path <file>      Envoy bootstrap, YAML or JSON
      --config-yaml <text>      the bootstrap itself, instead of a file
      --mode serve|validate     validate: read the bootstrap, say what is wrong with it, exit
      --state-dir <folder>      keep key, certificate and last good configuration there
      --ca-address <host:port>  certificate authority to get a certificate from
      --ca-token-file <file>    join token that proves the workload, for the first certificate
      --ca-trust-bundle <file>  PEM file with the anchors of the authority
      --identity <spiffe URI>   identity to ask for; default: made from the node's metadata
      --concurrency <n>         traffic workers, default 1
  -l, --log-level <level>       trace, debug, info, warning, error, critical or off; default info
      --drain-time-s <seconds>  longest time that open requests get after SIGTERM, default 5
      --accept-time-s <seconds> for how much of that connections are still accepted, while /ready says DRAINING and
                                answers say that they are the last, until whoever sends here knows; default 0
      --parent-shutdown-time-s <seconds>
                                longest time that what is open gets after a hot restart, default 60
      --start-time-s <seconds>  longest time that a hot restart waits for the new proxy, default 60
      --tls-key-log <file>      DEBUGGING ONLY: append the secrets of every traffic TLS session; whoever reads
                                the file reads the traffic
      --service-node <id>       wins over node.id of the bootstrap
      --service-cluster <name>  wins over node.cluster of the bootstrap

Example: heddle proxy -c examples/envoy/static.yaml`;

/** Envoy's level names, each with ours. */
const levels: Readonly<Record<string, LogLevel>> = {
  trace: "debug",
  debug: "debug",
  info: "info",
  warning: "warn",
  warn: "warn",
  error: "error",
  critical: "error",
  off: "off",
};

/** Reads the words after `heddle proxy`. Flags have Envoy's names where Envoy has them. */
export function parseCommandLine(argv: readonly string[]): ParsedCommandLine {
  let values: Partial<Record<keyof typeof flags, string>>;
  try {
    values = parseArgs({ args: [...argv], options: flags, strict: true, allowPositionals: false }).values;
  } catch (error) {
    return refuse((error as Error).message);
  }
  const configPath = values["config-path"];
  const configYaml = values["config-yaml"];
  if (configPath === undefined && configYaml === undefined) return refuse("no bootstrap: give one with -c <file>");
  if (configPath !== undefined && configYaml !== undefined)
    return refuse("--config-path and --config-yaml exclude each other");
  const mode = values.mode ?? defaultOptions.mode;
  if (mode !== "serve" && mode !== "validate") return refuse(`--mode is "serve" or "validate", not "${mode}"`);
  const logLevel = levels[values["log-level"] ?? defaultOptions.logLevel];
  if (logLevel === undefined) return refuse(`--log-level: unknown level "${values["log-level"]}"`);
  const concurrency = wholeNumber(values.concurrency, defaultOptions.concurrency);
  if (concurrency === undefined || concurrency < 1 || concurrency > 128)
    return refuse("--concurrency is a number from 1 to 128");
  const drainTimeS = wholeNumber(values["drain-time-s"], defaultOptions.drainTimeMs / 1000);
  if (drainTimeS === undefined) return refuse("--drain-time-s is a whole number of seconds");
  const acceptTimeS = wholeNumber(values["accept-time-s"], defaultOptions.acceptTimeMs / 1000);
  if (acceptTimeS === undefined) return refuse("--accept-time-s is a whole number of seconds");
  if (acceptTimeS > drainTimeS) return refuse("--accept-time-s is a part of --drain-time-s");
  const handOverTimeS = wholeNumber(values["parent-shutdown-time-s"], defaultOptions.handOverTimeMs / 1000);
  if (handOverTimeS === undefined) return refuse("--parent-shutdown-time-s is a whole number of seconds");
  const startTimeS = wholeNumber(values["start-time-s"], defaultOptions.startTimeMs / 1000);
  if (startTimeS === undefined || startTimeS === 0)
    return refuse("--start-time-s is a whole number of seconds, at least 1");
  const ca = readCa(values);
  if (typeof ca === "string") return refuse(ca);
  return {
    problem: undefined,
    options: {
      configPath,
      configYaml,
      stateDir: values["state-dir"],
      ca,
      mode,
      concurrency,
      logLevel,
      drainTimeMs: drainTimeS * 1000,
      acceptTimeMs: acceptTimeS * 1000,
      handOverTimeMs: handOverTimeS * 1000,
      startTimeMs: startTimeS * 1000,
      tlsKeyLogFile: values["tls-key-log"],
      serviceNode: values["service-node"],
      serviceCluster: values["service-cluster"],
    },
  };
}

function readCa(values: Partial<Record<keyof typeof flags, string>>): CaOptions | undefined | string {
  const address = values["ca-address"];
  if (address === undefined) {
    const orphan = (["ca-token-file", "ca-trust-bundle", "identity"] as const).find(
      (name) => values[name] !== undefined,
    );
    return orphan === undefined ? undefined : `--${orphan} needs --ca-address`;
  }
  if (!/^.+:\d+$/.test(address)) return `--ca-address is host:port, not "${address}"`;
  const trustBundleFile = values["ca-trust-bundle"];
  if (trustBundleFile === undefined) {
    return "--ca-address needs --ca-trust-bundle: without it anybody on the way could pose as the authority";
  }
  return { address, tokenFile: values["ca-token-file"], trustBundleFile, identity: values.identity };
}

function wholeNumber(text: string | undefined, fallback: number): number | undefined {
  if (text === undefined) return fallback;
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function refuse(problem: string): ParsedCommandLine {
  return { options: undefined, problem };
}

/** The words of `heddle proxy --restart`: where the state of the running proxy is, or what is wrong with them. */
export function parseRestart(argv: readonly string[]): { stateDir: string } | { stateDir: undefined; problem: string } {
  let values: { "state-dir"?: string };
  try {
    const flags = { restart: { type: "boolean" }, "state-dir": { type: "string" } } as const;
    values = parseArgs({ args: [...argv], options: flags, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const hint = "a running proxy keeps the flags that it was started with";
    return {
      stateDir: undefined,
      problem: `--restart takes --state-dir and nothing else (${hint}): ${(error as Error).message}`,
    };
  }
  const stateDir = values["state-dir"];
  if (stateDir === undefined)
    return { stateDir, problem: "--restart needs --state-dir, the one that the running proxy was started with" };
  return { stateDir };
}
