import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { HeldPort } from "@heddle/net";
import { compileCacheEnvironment } from "@heddle/state/compile-cache";
import { httpCall } from "./admin-client.ts";
import { signalGroup } from "./guarded-process.ts";
import { inheritPorts } from "./ports.ts";
import { forwardOutput } from "./process-output.ts";
import type { LineSink } from "./process-output.ts";
import type { ProxyFiles } from "./proxy-files.ts";
import { readProxyState } from "./proxy-state.ts";
import type { ReplicaPlace } from "./replica-place.ts";
import { SupervisedChild } from "./supervised-child.ts";

const proxyEntry = fileURLToPath(new URL("../main.ts", import.meta.url));

export interface SidecarOptions {
  readonly name: string;
  readonly files: ProxyFiles;
  /** host:port of the control plane's door, which is also the certificate authority's. */
  readonly xdsAddress: () => string;
  readonly identity: string;
  readonly ports: readonly HeldPort[];
  /** The command that starts another where the proxy runs; by default here, with this process's environment. */
  readonly command?: ReplicaPlace["proxyCommand"];
  /** host:port by which its admin port is reached from here; undefined: as it announces it. */
  readonly adminAddress?: string | undefined;
  readonly logLevel: string;
  readonly output: LineSink;
  readonly report: (line: string) => void;
  readonly onCrash: () => void;
}

/** The proxy of one instance: a supervisor process that inherits the instance's ports and ends with this process. */
export class Sidecar extends SupervisedChild {
  readonly #options: SidecarOptions;

  constructor(options: SidecarOptions) {
    super({
      name: options.name,
      start: () => {
        const { stdio, environment } = inheritPorts(options.ports);
        const own = [process.execPath, ...process.execArgv, proxyEntry, "proxy", ...this.#arguments()];
        const { command, env } = options.command?.(own) ?? { command: own, env: process.env };
        const [program = "", ...args] = command;
        return spawn(program, args, {
          env: { ...env, ...compileCacheEnvironment(process.env), ...environment },
          stdio: ["ignore", "pipe", "pipe", "ipc", ...stdio],
          // Ctrl-C is for this process, which ends its children in order; its channel ends them when it cannot.
          detached: true,
        });
      },
      // SIGTERM is for the supervisor, which drains; SIGKILL for the supervisor and its generations, as nothing else is left to end them.
      signal: (child, signal) => (signal === "SIGKILL" ? signalGroup(child, signal) : child.kill(signal)),
      onStarted: (child) => forwardOutput(child, options.name, options.output),
      onCrash: (how, again) => {
        options.report(`the proxy ended (${how}); ${again}`);
        options.onCrash();
      },
    });
    this.#options = options;
  }

  /** host:port of the proxy's admin API; undefined while it starts. */
  async adminAddress(): Promise<string | undefined> {
    const { files, adminAddress } = this.#options;
    const announced = (await readProxyState(files.folder))?.adminAddress;
    return announced === undefined ? undefined : (adminAddress ?? announced);
  }

  /** Whether the proxy has its listeners and its certificate. */
  async isReady(): Promise<boolean> {
    const address = await this.adminAddress();
    if (address === undefined) return false;
    try {
      return (await httpCall(address, "GET", "/ready", { timeoutMs: 2000 })).status === 200;
    } catch {
      // The file is from an earlier life of the proxy, or the proxy is just starting.
      return false;
    }
  }

  #arguments(): string[] {
    const { files, xdsAddress, identity, logLevel } = this.#options;
    return [
      "--config-path",
      files.bootstrap,
      "--state-dir",
      files.folder,
      "--ca-address",
      xdsAddress(),
      "--ca-token-file",
      files.token,
      "--ca-trust-bundle",
      files.trustBundle,
      "--identity",
      identity,
      "--log-level",
      logLevel,
      "--concurrency",
      "1",
    ];
  }
}
