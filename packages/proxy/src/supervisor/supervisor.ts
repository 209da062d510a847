import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { exitCodes, type Logger, RestartBackOff } from "@heddle/core";
import {
  formatAddress,
  formatInheritedDescriptors,
  listenDescriptorsVariable,
  parseInheritedDescriptors,
} from "@heddle/net";
import { LineLogger } from "../line-logger.ts";
import type { ProxyOptions } from "../options/options.ts";
import type { GenerationMessage, GenerationSetup, SocketName, SupervisorMessage } from "./messages.ts";
import { type HeldSocket, SocketTable } from "./socket-table.ts";

/** Time that a generation gets after its own deadline before it is killed. */
const killGraceMs = 2_000;

/** Built files end in .js, sources in .ts: the generation's entry is the one of its kind. */
const generationEntry = fileURLToPath(
  new URL(`../generation/entry${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url),
);

/**
 * Runs one proxy until it is told to stop, and returns the exit code.
 *
 * The supervisor owns the listening sockets and imports next to nothing, so that it has no reason to die. The proxy itself
 * is a child process, a generation; when one crashes the next inherits the sockets, and connections that came in
 * between wait in the kernel's queue. SIGHUP hands over to a new generation while the old one drains. SIGTERM and SIGINT
 * drain and end. When the channel to the parent closes, all ends at once.
 */
export function runSupervisor(options: ProxyOptions): Promise<number> {
  return new Supervisor(options).run();
}

interface Generation {
  readonly number: number;
  readonly process: ChildProcess;
  readonly startedAt: number;
  isReady: boolean;
  isRetiring: boolean;
  /** Set when it said that starting again would not help. */
  fatalExitCode: number | undefined;
  killTimer: NodeJS.Timeout | undefined;
}

class Supervisor {
  readonly #options: ProxyOptions;
  readonly #logger: Logger;
  readonly #sockets = new SocketTable();
  /** Sockets that the parent process holds; each generation gets them as they are. */
  #inherited = new Map<string, number>();
  readonly #backOff = new RestartBackOff(Math.random);
  readonly #live = new Set<Generation>();
  #count = 0;
  #restartTimer: NodeJS.Timeout | undefined;
  #isStopping = false;
  /** SIGHUP came while a generation was starting, which may have read its configuration before. */
  #isRenewalWanted = false;
  #wasEverReady = false;
  #finish: (exitCode: number) => void = () => {};

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#logger = new LineLogger("supervisor", options.logLevel);
  }

  async run(): Promise<number> {
    const inherited = parseInheritedDescriptors(process.env[listenDescriptorsVariable]);
    if (inherited === undefined) {
      this.#logger.error(`${listenDescriptorsVariable} is not a list of <address>:<port>=<descriptor>`, {
        value: process.env[listenDescriptorsVariable],
      });
      return exitCodes.usage;
    }
    this.#inherited = new Map(inherited);
    const stop = (): void => this.#stop();
    const renew = (): void => this.#renew();
    const orphaned = (): void => this.#endAtOnce();
    process.on("SIGTERM", stop).on("SIGINT", stop).on("SIGHUP", renew).on("disconnect", orphaned);
    try {
      return await new Promise<number>((resolve) => {
        this.#finish = resolve;
        this.#start();
      });
    } finally {
      process.off("SIGTERM", stop).off("SIGINT", stop).off("SIGHUP", renew).off("disconnect", orphaned);
      clearTimeout(this.#restartTimer);
      this.#sockets.close();
    }
  }

  #start(): void {
    this.#isRenewalWanted = false;
    // A descriptor's number in the child is its place in `stdio`.
    const inherited = new Map([...this.#inherited.keys()].map((address, index) => [address, firstPassed + index]));
    const held = this.#sockets.list();
    const setup: GenerationSetup<ProxyOptions> = {
      options: this.#options,
      sockets: held.map((socket, index) => ({ ...socket, fd: firstPassed + inherited.size + index })),
    };
    const child = spawn(process.execPath, [...runtimeFlags, generationEntry, JSON.stringify(setup)], {
      stdio: ["ignore", "inherit", "inherit", "ipc", ...this.#inherited.values(), ...held.map(({ fd }) => fd)],
      env: {
        ...process.env,
        [listenDescriptorsVariable]: formatInheritedDescriptors(inherited),
        // For all modules of all threads, the first ones included: a variable is the only way. Measured: 100 ms and 20 MB less.
        NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] ?? compileCacheFolder(),
      },
    });
    const generation: Generation = {
      number: ++this.#count,
      process: child,
      startedAt: performance.now(),
      isReady: false,
      isRetiring: false,
      fatalExitCode: undefined,
      killTimer: undefined,
    };
    this.#live.add(generation);
    child.on("message", (message: GenerationMessage, handle) =>
      this.#onMessage(generation, message, handle as unknown as HeldSocket | undefined),
    );
    child.on("error", (error) => {
      this.#logger.error("cannot run a proxy generation", { error });
      if (child.pid === undefined) this.#onExit(generation, "it could not be started");
    });
    child.on("exit", (code, signal) => this.#onExit(generation, signal ?? `exit code ${code}`));
  }

  #onMessage(generation: Generation, message: GenerationMessage, handle: HeldSocket | undefined): void {
    switch (message.type) {
      case "hold": {
        const { type: _type, ...name } = message;
        if (handle !== undefined) this.#sockets.hold(name, handle);
        return;
      }
      case "release":
        // A retiring generation no longer decides which listeners exist.
        if (!generation.isRetiring || this.#isStopping) this.#release(message);
        return;
      case "ready":
        generation.isReady = true;
        this.#wasEverReady = true;
        for (const other of this.#live) if (other.number < generation.number) this.#retire(other);
        if (this.#isRenewalWanted) this.#renew();
        return;
      case "quit":
        return this.#stop();
      case "fatal":
        generation.fatalExitCode = message.exitCode;
        return;
    }
  }

  #release(name: SocketName): void {
    this.#sockets.release(name);
    const address = formatAddress(name.host, name.port);
    const inherited = this.#inherited.get(address);
    if (inherited === undefined) return;
    this.#inherited.delete(address);
    closeSync(inherited);
  }

  #send(generation: Generation, message: SupervisorMessage): void {
    if (generation.process.connected)
      generation.process.send(message, (error) => this.#onSendFailure(generation, error));
  }

  #onSendFailure(generation: Generation, error: Error | null): void {
    // A generation that has just died: its exit is handled as such.
    if (error !== null) this.#logger.debug("a generation could not be told", { generation: generation.number, error });
  }

  #onExit(generation: Generation, how: string): void {
    if (!this.#live.delete(generation)) return;
    clearTimeout(generation.killTimer);
    if (this.#isStopping) {
      if (this.#live.size === 0) this.#finish(exitCodes.fine);
      return;
    }
    if (generation.isRetiring) return;
    if (generation.fatalExitCode !== undefined && !this.#wasEverReady) {
      this.#finish(generation.fatalExitCode);
      return;
    }
    // A hand-over that failed leaves the older generation in charge, unless that one is already on its way out.
    if ([...this.#live].some((other) => !other.isRetiring)) {
      this.#logger.error("the new generation ended before it was ready; the old one goes on", { how });
      return;
    }
    const delayMs = this.#backOff.nextDelayMs(performance.now() - generation.startedAt);
    this.#logger.error("the proxy ended unexpectedly and is started again", { how, delayMs });
    this.#restartTimer = setTimeout(() => this.#start(), delayMs);
  }

  #renew(): void {
    // Between two lives a new generation is about to be started anyway.
    if (this.#isStopping || this.#live.size === 0) return;
    if ([...this.#live].some((generation) => !generation.isReady)) {
      this.#isRenewalWanted = true;
      return;
    }
    this.#logger.info("handing over to a new generation");
    this.#start();
  }

  #retire(generation: Generation): void {
    if (generation.isRetiring) return;
    generation.isRetiring = true;
    const { drainTimeMs } = this.#options;
    this.#send(generation, { type: "drain", deadlineMs: drainTimeMs, isLast: this.#isStopping });
    generation.killTimer = setTimeout(() => generation.process.kill("SIGKILL"), drainTimeMs + killGraceMs);
  }

  #stop(): void {
    if (this.#isStopping) {
      // Told twice: the second time means now.
      for (const generation of this.#live) generation.process.kill("SIGKILL");
      return;
    }
    this.#isStopping = true;
    clearTimeout(this.#restartTimer);
    for (const generation of this.#live) this.#retire(generation);
    if (this.#live.size === 0) this.#finish(exitCodes.fine);
  }

  #endAtOnce(): void {
    this.#isStopping = true;
    for (const generation of this.#live) generation.process.kill("SIGKILL");
    if (this.#live.size === 0) this.#finish(exitCodes.negative);
  }
}

/** In the user's own folder: in a shared one somebody else could have put code there. */
function compileCacheFolder(): string {
  return join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "heddle", "compile");
}

/** After the standard streams and the IPC channel. */
const firstPassed = 4;

/**
 * Without the notice that `node:ffi`, which duplicates descriptors, is young: what it does is tested at start. And collecting
 * the young generation in one thread: next to nothing of a request survives, so there is nothing to share out (measured:
 * 8 % less CPU per request and 25 MB less).
 */
const runtimeFlags = ["--disable-warning=ExperimentalWarning", "--no-parallel-scavenge"];
