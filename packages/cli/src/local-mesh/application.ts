import { parseDuration } from "@heddle/core";
import { applicationVariables } from "./application-path.ts";
import { workingFolder } from "./command-lookup.ts";
import { endGroup, signalGroup, spawnGuarded } from "./guarded-process.ts";
import { LastWords } from "./last-words.ts";
import type { PlannedInstance } from "./plan.ts";
import { urlVariable } from "./plan.ts";
import { forwardOutput } from "./process-output.ts";
import type { LineSink } from "./process-output.ts";
import type { ReplicaPlace } from "./replica-place.ts";
import { SupervisedChild } from "./supervised-child.ts";

/** Of a replica's place, what its application needs. */
export type ApplicationPlace = Pick<ReplicaPlace, "applicationCommand" | "probe" | "urlOf"> & {
  readonly ports: Pick<ReplicaPlace["ports"], "appPort">;
};

export interface ApplicationOptions {
  readonly instance: PlannedInstance;
  /** Folder that `workingDir` and relative commands are looked up from. */
  readonly folder: string;
  readonly place: ApplicationPlace;
  readonly output: LineSink;
  /** A line about the process itself. */
  readonly report: (line: string, isRepetition?: boolean) => void;
  readonly onReady: (isReady: boolean) => void;
}

/** Between the first looks at an application that is not ready; each later one comes after half as long again. */
const firstProbeIntervalMs = 100;
const steadyIntervalMs = 1000;
/** Failures in a row after which a ready application counts as not ready. */
const failuresToLeave = 3;
/** Ends before readiness in a row after which the workload is called not ready: about two seconds of restarts. */
const vainStartsToTell = 4;

/** One application process with its readiness probe. */
export class Application extends SupervisedChild {
  readonly #options: ApplicationOptions;
  #timer: NodeJS.Timeout | undefined;
  #isReady = false;
  #failures = 0;
  #startedAt = 0;
  #hasWarned = false;
  /** Lives in a row that ended before they were ready. */
  #vainStarts = 0;
  readonly #lastWords = new LastWords();
  #isStopped = false;

  constructor(options: ApplicationOptions) {
    const { instance } = options;
    super({
      name: instance.id,
      start: () =>
        spawnGuarded(
          options.place.applicationCommand({
            command: instance.command,
            cwd: workingFolder(instance, options.folder),
            env: this.#environment(),
          }),
        ),
      signal: signalGroup,
      onStarted: (child) => {
        forwardOutput(child, instance.id, (source, line, stream) => {
          this.#lastWords.hear(line);
          options.output(source, line, stream, this.#isCondemned);
        });
        this.#startedAt = performance.now();
        this.#hasWarned = false;
        this.#failures = 0;
        this.#setReady(false);
        this.#probeIn(0);
      },
      onEnded: (child) => {
        endGroup(child);
        this.#setReady(false);
        clearTimeout(this.#timer);
      },
      onCrash: (how, again) => {
        options.report(this.#crashReport(how, again), this.#isCondemned);
        this.#vainStarts += 1;
        if (this.#vainStarts === vainStartsToTell) options.report(this.#verdict(how));
      },
    });
    this.#options = options;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** It was said that it ends again and again. */
  get #isCondemned(): boolean {
    return this.#vainStarts >= vainStartsToTell;
  }

  override async stop(graceMs: number): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await super.stop(graceMs);
  }

  /** PORT, HOSTNAME and VERSION as a container would have them, one URL for each service; the file's own words win. */
  #environment(): NodeJS.ProcessEnv {
    const { instance, place } = this.#options;
    const urls = instance.calls.map((service) => [urlVariable(service, instance.namespace), place.urlOf(service)]);
    return {
      ...applicationVariables(process.env),
      ...Object.fromEntries(urls),
      PORT: String(place.ports.appPort),
      HOSTNAME: instance.id,
      ...(instance.version === "" ? {} : { VERSION: instance.version }),
      ...instance.env,
    };
  }

  #crashReport(how: string, again: string): string {
    const { instance } = this.#options;
    if (how !== "exit code 127") return `the application ended (${how}); ${again}`;
    return `the command "${instance.command[0]}" of the workload ${instance.workload} (${instance.place}) was not found: install it, or correct "command"; ${again}`;
  }

  #verdict(how: string): string {
    const { workload, place } = this.#options.instance;
    const { text } = this.#lastWords;
    const words = text === "" ? "it wrote nothing" : `its last words: ${text}`;
    return `the workload ${workload} (${place}) is not ready: it ended ${this.#vainStarts} times before it was, the last time with ${how}; ${words}; it is started again and again, later each time; until it is ready, its log file alone says more`;
  }

  #probeIn(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#probe(), delayMs);
  }

  async #probe(): Promise<void> {
    const pid = this.pid;
    const problem = await this.#problem();
    // The process was stopped or replaced while the answer was on its way.
    if (this.#isStopped || this.pid !== pid || pid === undefined) return;
    if (problem === undefined) {
      this.#failures = 0;
      if (this.#isCondemned) this.#options.report(`ready after ${this.#vainStarts} starts in vain`);
      this.#vainStarts = 0;
      this.#setReady(true);
    } else {
      this.#failures += 1;
      if (this.#failures >= failuresToLeave || !this.#isReady) this.#setReady(false);
      this.#warnWhenLate(problem);
    }
    this.#probeIn(
      this.#isReady ? steadyIntervalMs : Math.min(firstProbeIntervalMs * 1.5 ** this.#failures, steadyIntervalMs),
    );
  }

  /** Undefined when the application is ready. Without a probe of its own it is ready when its port takes connections. */
  async #problem(): Promise<string | undefined> {
    const { instance, place } = this.#options;
    try {
      return await place.probe(instance.readiness?.path);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  #warnWhenLate(problem: string): void {
    const { instance, place, report } = this.#options;
    const limitMs = parseDuration(instance.readiness?.timeout ?? "30s") ?? 30_000;
    if (this.#hasWarned || this.#isReady || performance.now() - this.#startedAt < limitMs) return;
    this.#hasWarned = true;
    report(
      `not ready after ${limitMs / 1000} s: ${problem}. The application must listen on 127.0.0.1:$PORT (${place.ports.appPort} now); declared at ${instance.place}`,
    );
  }

  #setReady(isReady: boolean): void {
    if (this.#isReady === isReady) return;
    this.#isReady = isReady;
    this.#options.onReady(isReady);
  }
}
