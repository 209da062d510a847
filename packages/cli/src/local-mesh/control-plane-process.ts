import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { controlPlaneEntry, readRunFile } from "@heddle/control-plane";
import type { HeldPort } from "@heddle/net";
import { formatAddress } from "@heddle/net";
import { compileCacheEnvironment } from "@heddle/state/compile-cache";
import { AdminClient } from "./admin-client.ts";
import { inheritPorts } from "./ports.ts";
import { forwardOutput } from "./process-output.ts";
import type { LineSink } from "./process-output.ts";
import { SupervisedChild } from "./supervised-child.ts";

export interface ControlPlaneOptions {
  readonly folder: string;
  readonly stateDir: string;
  /** Of the start of the mesh: a life that begins after an edit must not take others than those that certificates were made with. */
  readonly trustDomain: string;
  readonly rootNamespace: string;
  /** Where proxies look for it: bound by the owner and inherited by every life, so that nobody can take it between two. */
  readonly port: () => HeldPort;
  readonly output: LineSink;
  readonly report: (line: string) => void;
}

export interface ControlPlaneAddresses {
  readonly adminAddress: string;
  readonly xdsAddress: string;
}

/** The control plane ended before it served; the message is its last words. */
export class StartProblem extends Error {}

/** The control plane as a child process. After a crash it comes back at the same xDS address, and whoever connects meanwhile waits in the kernel's queue. */
export class ControlPlaneProcess {
  readonly #options: ControlPlaneOptions;
  readonly #child: SupervisedChild;
  #onReady: ((addresses: ControlPlaneAddresses) => void) | undefined;
  #onFailed: ((reason: Error) => void) | undefined;
  /** The latest life: only its words are about the start that somebody waits for. */
  #watched: ChildProcess | undefined;
  #hasServed = false;

  constructor(options: ControlPlaneOptions) {
    this.#options = options;
    this.#child = new SupervisedChild({
      name: "control-plane",
      start: () => {
        const port = options.port();
        const { stdio, environment } = inheritPorts([port]);
        return spawn(
          process.execPath,
          [
            ...process.execArgv,
            fileURLToPath(controlPlaneEntry),
            "--folder",
            options.folder,
            "--state-dir",
            options.stateDir,
            "--xds-address",
            formatAddress(port.address.host, port.address.port),
            "--trust-domain",
            options.trustDomain,
            "--root-namespace",
            options.rootNamespace,
          ],
          {
            env: { ...process.env, ...compileCacheEnvironment(process.env), ...environment },
            stdio: ["ignore", "pipe", "pipe", "ipc", ...stdio],
            // Ctrl-C is for this process, which ends its children in order; its channel ends them when it cannot.
            detached: true,
          },
        );
      },
      signal: (child, signal) => child.kill(signal),
      onStarted: (child) => this.#watch(child),
      // What cannot start at all will not the next time, and whoever waits for the start ends it.
      onEnded: () => {
        if (!this.#hasServed) void this.#child.stop(0);
      },
      onCrash: (how, again) => {
        // A start that fails is told by whoever waits for it.
        if (this.#onFailed !== undefined) return;
        options.report(`the control plane ended (${how}); traffic goes on; ${again}`);
      },
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Starts it and resolves when it serves; rejects with its last words when it ends first, and then it is not started again. */
  start(): Promise<ControlPlaneAddresses> {
    return this.#untilReady(() => this.#child.start());
  }

  stop(graceMs: number): Promise<void> {
    return this.#child.stop(graceMs);
  }

  killAndHold(): Promise<void> {
    return this.#child.killAndHold();
  }

  /** Ends what `killAndHold` began; resolves when the control plane serves again. */
  release(): Promise<ControlPlaneAddresses> {
    return this.#untilReady(() => this.#child.release());
  }

  /** The admin API of the life that runs now; undefined when none does. */
  async admin(): Promise<AdminClient | undefined> {
    const found = await readRunFile(this.#options.stateDir);
    return found.kind === "found" ? new AdminClient(found.run.adminAddress, found.run.token) : undefined;
  }

  #untilReady(begin: () => void): Promise<ControlPlaneAddresses> {
    const ready = new Promise<ControlPlaneAddresses>((resolve, reject) => {
      this.#onReady = resolve;
      this.#onFailed = reject;
    });
    begin();
    return ready.finally(() => {
      this.#onReady = undefined;
      this.#onFailed = undefined;
    });
  }

  #watch(child: ChildProcess): void {
    let lastLine = "";
    // Of a start that fails the last words are told by whoever waits for it, and here not again.
    let lastWords: string | undefined;
    const tell = (isRepetition: boolean): void => {
      if (lastWords !== undefined) this.#options.output("control-plane", lastWords, "stderr", isRepetition);
      lastWords = undefined;
    };
    forwardOutput(child, "control-plane", (source, line, stream) => {
      lastLine = line;
      if (stream === "stderr" && this.#watched === child && this.#onFailed !== undefined) {
        tell(false);
        lastWords = line;
      } else this.#options.output(source, line, stream);
    });
    this.#watched = child;
    // Not "exit": its last words may still be on their way. They may come when the next life has begun, and are not about that.
    child.once("close", () => {
      const fail = this.#watched === child ? this.#onFailed : undefined;
      // They begin as those of any command do, and so does what they are told in.
      const reason = (lastWords ?? lastLine).replace(/^heddle: /, "");
      tell(fail !== undefined);
      fail?.(new StartProblem(reason));
    });
    child.on("message", (message: { kind?: string } & ControlPlaneAddresses) => {
      if (message.kind !== "ready" || this.#watched !== child) return;
      tell(false);
      this.#hasServed = true;
      // After a crash nobody waits; a person who has read that it ended wants to know that it is back.
      if (this.#onReady === undefined)
        this.#options.report("the control plane is back; proxies reconnect by themselves");
      else this.#onReady(message);
    });
  }
}
