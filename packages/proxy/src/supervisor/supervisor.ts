import type { ChildProcess } from "node:child_process";
import { closeSync } from "node:fs";
import { exitCodes, type Logger, RestartBackOff } from "@heddle/core";
import { formatAddress, listenDescriptorsVariable, parseInheritedDescriptors } from "@heddle/net";
import { LineLogger } from "../line-logger.ts";
import type { ProxyOptions } from "../options/options.ts";
import { CounterLedger } from "./counter-ledger.ts";
import type { GenerationMessage, GenerationSetup, SocketName, SupervisorMessage } from "./messages.ts";
import { type HeldSocket, SocketTable } from "./socket-table.ts";
import { firstPassed, spawnGeneration } from "./spawn-generation.ts";
import { type HandOver, SupervisorFile } from "./supervisor-file.ts";

/** Time that a generation gets after its own deadline before it is killed. */
const killGraceMs = 2_000;
/** A generation that is to retire says within this time what it has counted; else the next one serves without it. */
const lastWordMs = 2_000;
/** Generations that drain at once: each holds some 80 MB. The next hand-over waits until one of them is gone. */
const maxRetiring = 3;

/**
 * Runs one proxy until it is told to stop, and returns the exit code.
 *
 * The supervisor owns the listening sockets and imports next to nothing, so that it has no reason to die. The proxy itself
 * is a child process, a generation; when one crashes the next inherits the sockets, and connections that came in
 * between wait in the kernel's queue. SIGTERM and SIGINT drain and end. When the channel to the parent closes, all ends at once.
 *
 * SIGHUP is a hot restart: a new generation starts on the same sockets. When it is ready the old one closes its admin port, says
 * what it has counted, and drains; then the new one, which counts on from there, opens the admin port. One that is not ready in time, or
 * ends before, changes nothing: the old one goes on.
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
  /** Runs out when it is not ready in time, or when nobody has said in time what it takes over. */
  waitTimer: NodeJS.Timeout | undefined;
  /** Why it does not serve, in words for who asked for it. */
  failure: string;
  /** The one that took over from it has crashed, and with it what it had counted: adding to nothing would be wrong. */
  isForgotten: boolean;
}

class Supervisor {
  readonly #options: ProxyOptions;
  readonly #logger: Logger;
  readonly #sockets = new SocketTable();
  /** Sockets that the parent process holds; each generation gets them as they are. */
  #inherited = new Map<string, number>();
  readonly #backOff = new RestartBackOff(Math.random);
  readonly #live = new Set<Generation>();
  readonly #startedAtMs = Date.now();
  #count = 0;
  #restartTimer: NodeJS.Timeout | undefined;
  #isStopping = false;
  readonly #counters = new CounterLedger();
  readonly #file: SupervisorFile;
  /** A generation whose counters are still to be told to the one that has just become ready. */
  #waitingForWord: { readonly young: Generation; readonly old: Set<Generation> } | undefined;
  /** Hot restarts asked for, begun and ended, and how the last one ended. SIGHUP may come while a generation starts, which may have read its configuration before. */
  #requested = 0;
  #begun = 0;
  #answered = 0;
  #last: HandOver | undefined;
  #wasEverReady = false;
  #finish: (exitCode: number) => void = () => {};

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#logger = new LineLogger("supervisor", options.logLevel);
    this.#file = new SupervisorFile(options.stateDir, this.#logger);
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
    this.#file.open();
    const stop = (): void => this.#stop();
    const renew = (): void => this.#onRestartAsked();
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
      await this.#file.flush();
    }
  }

  #start(): void {
    clearTimeout(this.#restartTimer);
    this.#begun = this.#requested;
    // A descriptor's number in the child is its place in `stdio`.
    const inherited = new Map([...this.#inherited.keys()].map((address, index) => [address, firstPassed + index]));
    const held = this.#sockets.list();
    const setup: GenerationSetup<ProxyOptions> = {
      options: this.#options,
      lineage: { hasPredecessor: this.#serving !== undefined, epoch: this.#count, startedAtMs: this.#startedAtMs },
      sockets: held.map((socket, index) => ({ ...socket, fd: firstPassed + inherited.size + index })),
    };
    const child = spawnGeneration(setup, inherited, [...this.#inherited.values(), ...held.map(({ fd }) => fd)]);
    const generation: Generation = {
      number: ++this.#count,
      process: child,
      startedAt: performance.now(),
      isReady: false,
      isRetiring: false,
      fatalExitCode: undefined,
      killTimer: undefined,
      waitTimer: undefined,
      failure: "",
      isForgotten: false,
    };
    if (setup.lineage.hasPredecessor) this.#limitStart(generation, "");
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
        return this.#onReady(generation);
      case "counters":
        return this.#onCounters(generation, message);
      case "quit":
        return this.#stop();
      case "fatal":
        generation.fatalExitCode = message.exitCode;
        generation.failure = message.reason;
        return;
    }
  }

  /** The generation that serves. */
  get #serving(): Generation | undefined {
    return [...this.#live].filter(({ isReady, isRetiring }) => isReady && !isRetiring).at(-1);
  }

  #onReady(generation: Generation): void {
    clearTimeout(generation.waitTimer);
    if (generation.isReady || this.#isStopping) return;
    const old = new Set([...this.#live].filter(({ number, isRetiring }) => number < generation.number && !isRetiring));
    generation.isReady = true;
    this.#wasEverReady = true;
    this.#waitingForWord = { young: generation, old };
    for (const other of old) this.#retire(other);
    if (old.size > 0) generation.waitTimer = setTimeout(() => this.#takeOver(generation), lastWordMs);
    else this.#takeOver(generation);
    this.#answer({ isReady: true, reason: "" });
  }

  /** What drains has been counted up to now; the admin port is the new generation's from here on. */
  #takeOver(young: Generation): void {
    clearTimeout(young.waitTimer);
    if (this.#waitingForWord?.young === young) this.#waitingForWord = undefined;
    for (const carried of this.#counters.everything()) this.#send(young, carried);
    this.#send(young, { type: "take-over" });
  }

  #onCounters(generation: Generation, message: Extract<GenerationMessage, { type: "counters" }>): void {
    if (generation.isForgotten) return;
    const carried = this.#counters.take(generation.number, message);
    const waiting = this.#waitingForWord;
    if (waiting === undefined) {
      const serving = this.#serving;
      if (serving !== undefined) this.#send(serving, carried);
    } else this.#heard(generation);
  }

  /** A generation that retires has said its word, or will say none. */
  #heard(generation: Generation): void {
    const waiting = this.#waitingForWord;
    if (waiting === undefined || !waiting.old.delete(generation)) return;
    if (waiting.old.size === 0) this.#takeOver(waiting.young);
  }

  /** @param since from when on the time counts, in words that follow it; empty: from its start */
  #limitStart(generation: Generation, since: string): void {
    const { startTimeMs } = this.#options;
    const failure = `it was not ready after ${startTimeMs / 1000} s${since} (--start-time-s)`;
    clearTimeout(generation.waitTimer);
    generation.waitTimer = setTimeout(() => this.#giveUp(generation, failure), startTimeMs);
  }

  #giveUp(generation: Generation, failure: string): void {
    generation.failure = failure;
    generation.process.kill("SIGKILL");
  }

  #onRestartAsked(): void {
    this.#requested += 1;
    this.#note(this.#answered);
    this.#renew();
  }

  /** How the hand-over went that was begun last; those that were asked for meanwhile have one of their own. */
  #answer(last: HandOver): void {
    this.#last = last;
    // The first start answers nobody.
    if (this.#begun > this.#answered) this.#note(this.#begun);
    if (this.#requested > this.#begun) this.#renew();
  }

  #note(answered: number): void {
    this.#answered = answered;
    this.#file.write({ requested: this.#requested, answered, last: this.#last });
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
    clearTimeout(generation.waitTimer);
    const lastWord = this.#counters.end(generation.number);
    if (lastWord !== undefined && this.#waitingForWord === undefined && this.#serving !== undefined)
      this.#send(this.#serving, lastWord);
    this.#heard(generation);
    if (this.#isStopping) {
      if (this.#live.size === 0) this.#finish(exitCodes.fine);
      return;
    }
    if (generation.isRetiring) {
      if (this.#requested > this.#begun) this.#renew();
      return;
    }
    if (generation.fatalExitCode !== undefined && !this.#wasEverReady) {
      this.#finish(generation.fatalExitCode);
      return;
    }
    const other = [...this.#live].find(({ isRetiring }) => !isRetiring);
    if (other === undefined) this.#startAgain(generation, how);
    else if (generation.isReady) this.#onServingLost(other, how);
    else {
      const reason = reasonOf(generation, how);
      this.#logger.error("the new generation does not serve; the old one goes on", { reason });
      this.#answer({ isReady: false, reason: `the old one goes on: ${reason}` });
    }
  }

  /**
   * The one that was serving has crashed within a hand-over: the other starts for both, and gets its whole time once more, as a fresh
   * start would need as long. One that hangs ends then, and a fresh one is started.
   */
  #onServingLost(young: Generation, how: string): void {
    this.#forgetCounters();
    this.#limitStart(young, " without the old one");
    this.#logger.error("the proxy ended unexpectedly; the new generation, which starts already, takes its place", {
      how,
    });
  }

  #startAgain(generation: Generation, how: string): void {
    this.#forgetCounters();
    const delayMs = this.#backOff.nextDelayMs(performance.now() - generation.startedAt);
    this.#logger.error("the proxy ended unexpectedly and is started again", { how, delayMs });
    this.#restartTimer = setTimeout(() => this.#start(), delayMs);
    if (generation.isReady || this.#begun === this.#answered) return;
    this.#last = {
      isReady: false,
      reason: `the old one is gone, too, and the proxy is started again: ${reasonOf(generation, how)}`,
    };
    this.#note(this.#begun);
  }

  #forgetCounters(): void {
    this.#counters.clear();
    for (const other of this.#live) if (other.isReady) other.isForgotten = true;
  }

  #renew(): void {
    // Between two lives a new generation is about to be started anyway.
    if (this.#isStopping || this.#live.size === 0) return;
    // Begun when that one is ready, or has failed.
    if ([...this.#live].some((generation) => !generation.isReady)) return;
    const retiring = [...this.#live].filter((generation) => generation.isRetiring).length;
    if (retiring >= maxRetiring) {
      this.#logger.info("the hand-over waits until an older generation has drained", { retiring });
      return;
    }
    this.#logger.info("handing over to a new generation");
    this.#start();
  }

  #retire(generation: Generation): void {
    if (generation.isRetiring) return;
    generation.isRetiring = true;
    const { drainTimeMs, handOverTimeMs } = this.#options;
    this.#drain(generation, this.#isStopping ? drainTimeMs : handOverTimeMs);
  }

  #drain(generation: Generation, deadlineMs: number): void {
    clearTimeout(generation.killTimer);
    this.#send(generation, { type: "drain", deadlineMs, isLast: this.#isStopping });
    generation.killTimer = setTimeout(() => generation.process.kill("SIGKILL"), deadlineMs + killGraceMs);
  }

  #stop(): void {
    if (this.#isStopping) {
      // Told twice: the second time means now.
      for (const generation of this.#live) generation.process.kill("SIGKILL");
      return;
    }
    this.#isStopping = true;
    clearTimeout(this.#restartTimer);
    for (const generation of this.#live) {
      // One that retires already has no longer than the others from now on.
      if (generation.isRetiring) this.#drain(generation, this.#options.drainTimeMs);
      else this.#retire(generation);
    }
    if (this.#live.size === 0) this.#finish(exitCodes.fine);
  }

  #endAtOnce(): void {
    this.#isStopping = true;
    for (const generation of this.#live) generation.process.kill("SIGKILL");
    if (this.#live.size === 0) this.#finish(exitCodes.negative);
  }
}

/** Why a generation does not serve that was never ready. */
function reasonOf({ failure }: Generation, how: string): string {
  return failure === "" ? `it ended before it was ready (${how})` : failure;
}
