import type { MeshMode } from "@heddle/api";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AlreadyRunning, FolderSource, requireAlone, stateFolderName, systemClock } from "@heddle/control-plane";
import { errorEntry, exitCodes, silentLogger } from "@heddle/core";
import { StateIsNewer } from "@heddle/state";
import { applicationVariables } from "../local-mesh/application-path.ts";
import { findMissingCommands } from "../local-mesh/command-lookup.ts";
import type { MissingCommand } from "../local-mesh/command-lookup.ts";
import { StartProblem } from "../local-mesh/control-plane-process.ts";
import { EdgePortProblem } from "../local-mesh/edge.ts";
import type { MeshFolder } from "../local-mesh/mesh-folder.ts";
import { pickMesh, readMeshFolder } from "../local-mesh/mesh-folder.ts";
import { MeshRunner } from "../local-mesh/mesh-runner.ts";
import type { ModeChoice } from "../local-mesh/mode.ts";
import { chooseMode, ModeProblem } from "../local-mesh/mode.ts";
import { giveToCaller } from "../local-mesh/namespaces/caller.ts";
import { CommandFailed } from "../local-mesh/namespaces/command.ts";
import type { MeshPlan } from "../local-mesh/plan.ts";
import { hasSettingsOf, planMesh, planText } from "../local-mesh/plan.ts";
import { PortProblem } from "../local-mesh/ports.ts";
import { formatFindings } from "../output/findings.ts";
import { UserProblem } from "../user-problem.ts";
import { MeshLock } from "./mesh-lock.ts";
import type { MeshOutput } from "./mesh-output.ts";

export interface MeshSessionOptions {
  readonly folder: string;
  readonly output: MeshOutput;
  /** Port of the edge, in place of the one in the file. */
  readonly edgePort: number | undefined;
  /** What was asked for, or a choice made already. Undefined: as the file says, else the best that is possible. */
  readonly mode: MeshMode | ModeChoice | undefined;
  readonly proxyLogLevel: string;
}

/** Quiet time after a change before the folder is read again. */
const debounceMs = 50;
/** A change that could not be carried out is tried again, each time later. */
const firstRetryMs = 500;
const longestRetryMs = 30_000;

/** One run of a folder: holds its lock, runs its mesh, and follows its `LocalMesh`. */
export class MeshSession {
  readonly #options: MeshSessionOptions;
  readonly #runner: MeshRunner;
  readonly #lock: MeshLock;
  readonly #source: FolderSource;
  readonly plan: MeshPlan;
  /** How this run does it. */
  readonly mode: ModeChoice;
  #planText: string;
  /** What the folder was when it was last read. */
  #found: MeshFolder | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = firstRetryMs;
  #isStopping = false;
  #stopped: Promise<void> | undefined;
  /** The folder was last seen with a mesh that cannot be run. */
  #wasRefused = false;

  private constructor(options: MeshSessionOptions, plan: MeshPlan, mode: ModeChoice, lock: MeshLock) {
    this.#options = options;
    this.#lock = lock;
    this.plan = plan;
    this.mode = mode;
    this.#planText = planText(plan);
    const { folder, output, proxyLogLevel } = options;
    this.#runner = new MeshRunner({
      folder,
      stateDir: join(folder, stateFolderName),
      plan,
      mode,
      proxyLogLevel,
      output: output.line,
      report: output.report,
    });
    this.#source = new FolderSource({
      folder,
      debounceMs,
      logger: silentLogger,
      clock: systemClock,
      onSnapshot: ({ files }, unreadable) => void this.#reload(pickMesh(folder, { files, unreadable })),
    });
  }

  /** Reads and checks everything that can be known beforehand; nothing has been started. Throws `UserProblem`. */
  static async open(options: MeshSessionOptions): Promise<MeshSession> {
    const { folder, output } = options;
    const plan = withPort(planOf(await readFolder(folder), output), options.edgePort);
    const missing = await findMissingCommands(plan, folder, applicationVariables(process.env));
    if (missing.length > 0) throw missingCommands(missing);
    const mode =
      typeof options.mode === "object" ? options.mode : await chooseMode(options.mode ?? plan.mode).catch(refuseMode);
    const stateDir = join(folder, stateFolderName);
    const result = await MeshLock.acquire(stateDir).catch((error: unknown) => refuseState(stateDir, error));
    if (result.kind === "taken") {
      throw new UserProblem(`this mesh is already running, as process ${result.pid}`, {
        where: folder,
        hint: `Use the running one, or end it first: kill ${result.pid}`,
      });
    }
    if (result.kind === "copied") {
      throw new UserProblem(
        `this folder is a copy of a mesh that is running, with its state: ${dirname(result.from)}`,
        {
          where: folder,
          hint: `Remove ${stateDir}: the copy then gets keys and ports of its own. What runs, as process ${result.pid}, is not touched.`,
        },
      );
    }
    if (result.reclaimedFrom !== undefined) {
      output.notice(`the run of process ${result.reclaimedFrom} was killed; what it left in ${stateDir} is used again`);
    }
    try {
      await requireAlone(stateDir);
    } catch (error) {
      await result.lock.release();
      refuse(error);
    }
    // Speaks of a control plane that is gone.
    await rm(join(stateDir, "run.json"), { force: true });
    return new MeshSession(options, plan, mode, result.lock);
  }

  get runner(): MeshRunner {
    return this.#runner;
  }

  /** Starts every process. Rejects with nothing left running. */
  async start(): Promise<void> {
    try {
      await this.#runner.start();
      await this.#source.start();
    } catch (error) {
      await this.stop();
      throw this.#explain(error);
    }
  }

  /** What people can put right, in their words. */
  #explain(error: unknown): unknown {
    const { folder, edgePort } = this.#options;
    if (error instanceof EdgePortProblem)
      return edgePort === undefined
        ? new UserProblem(error.message, { where: this.plan.edgePlace, hint: "Nothing was started." })
        : new UserProblem(error.message, {
            hint: "Choose another with --port; 0 takes any free one. Nothing was started.",
          });
    const isKnown = [StartProblem, StateIsNewer, CommandFailed, PortProblem].some((kind) => error instanceof kind);
    return isKnown
      ? new UserProblem((error as Error).message, { where: folder, hint: "Nothing of it is running." })
      : error;
  }

  /** Ends every process, in order, and gives the folder back: once, since then it may be somebody else's. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#isStopping = true;
    this.#source.close();
    clearTimeout(this.#retry);
    await this.#runner.stop();
    try {
      if (this.mode.mode === "namespaces") await giveToCaller(join(this.#options.folder, stateFolderName));
    } finally {
      await this.#lock.release();
    }
  }

  async #reload(found: MeshFolder): Promise<void> {
    const { folder, output, edgePort } = this.#options;
    clearTimeout(this.#retry);
    this.#found = found;
    if (found.kind === "refused") {
      // What is wrong with a resource the control plane says; the folder as a whole is ours to judge.
      for (const problem of found.problems) output.report("heddle", `${problem}; what runs goes on`);
      this.#wasRefused = true;
      return;
    }
    const { namespace, name } = found.mesh.metadata;
    const plan = withPort(planMesh(found.mesh), edgePort);
    // The control plane refuses it whole, with file and line; were the rest of it taken here, the two would run different meshes.
    if (!hasSettingsOf(plan, this.plan)) return;
    if (plan.mode !== undefined && plan.mode !== this.mode.mode && this.#options.mode === undefined)
      output.report("heddle", `the mode stays ${this.mode.mode} until heddle up is started again`);
    const text = planText(plan);
    if (text === this.#planText) {
      // It is back as it runs: whoever has read that it could not be used wants to know.
      if (this.#wasRefused) output.inForce([`~ LocalMesh ${namespace}/${name}`]);
      this.#wasRefused = false;
      return;
    }
    const before = this.#planText;
    this.#planText = text;
    const missing = await findMissingCommands(plan, folder, applicationVariables(process.env));
    if (missing.length > 0) {
      for (const each of missing) output.report("heddle", `${describeMissing(each)}; what runs goes on`);
      // What runs is the plan before; the same text again is told again.
      this.#planText = before;
      this.#wasRefused = true;
      return;
    }
    try {
      const held = await this.#runner.apply(plan);
      for (const each of held) output.report("heddle", `${each}; what else has changed is in force`);
      this.#wasRefused = false;
      if (held.length === 0) output.inForce([`~ LocalMesh ${namespace}/${name}`]);
      this.#retryMs = firstRetryMs;
    } catch (error) {
      this.#planText = "";
      this.#tryAgain(error instanceof Error ? error.message : String(error));
    }
  }

  /** With the folder as it is then: a change that comes first is carried out in its place. */
  #tryAgain(reason: string): void {
    if (this.#isStopping) return;
    const delayMs = this.#retryMs;
    this.#retryMs = Math.min(2 * delayMs, longestRetryMs);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      if (this.#found !== undefined) void this.#reload(this.#found);
    }, delayMs);
    this.#options.output.report(
      "heddle",
      `the changed LocalMesh could not be carried out: ${reason}; tried again in ${delayMs} ms`,
    );
  }
}

/** The mode that was asked for is not possible here. */
export function refuseMode(error: unknown): never {
  if (!(error instanceof ModeProblem)) throw error;
  throw new UserProblem(error.message, {
    hint: `${error.remedy === "" ? "Use" : `${error.remedy}, or use`} --mode ports. Nothing was started.`,
  });
}

/** Somebody else has the state folder, or had it. */
function refuse(error: unknown): never {
  if (error instanceof StateIsNewer || error instanceof AlreadyRunning)
    throw new UserProblem(error.message, { hint: "Nothing was started." });
  throw error;
}

/** What the system says of the folder that state is kept in. */
function refuseState(stateDir: string, error: unknown): never {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) refuse(error);
  const reasons: Readonly<Record<string, string>> = {
    EEXIST: "there is a file where the folder should be",
    EACCES: "the folder may not be written",
    EROFS: "the file system may not be written",
  };
  throw new UserProblem(`the mesh cannot keep its state here: ${reasons[code] ?? message}`, {
    where: stateDir,
    hint: "heddle up keeps keys, accepted resources and logs beside the resources. Nothing was started.",
  });
}

async function readFolder(folder: string): Promise<MeshFolder> {
  try {
    return await readMeshFolder(folder);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOTDIR")
      throw new UserProblem("this is a file", {
        where: folder,
        hint: `Name its folder: heddle up ${dirname(folder)}`,
        exitCode: exitCodes.usage,
      });
    throw new UserProblem(code === "ENOENT" ? "there is no such folder" : `the folder cannot be read: ${message}`, {
      where: folder,
      hint: "Name a folder that holds a LocalMesh resource.",
      exitCode: exitCodes.usage,
    });
  }
}

function planOf(found: MeshFolder, output: MeshOutput): MeshPlan {
  if (found.kind === "found") return planMesh(found.mesh);
  const { problems, findings } = found;
  if (findings.length === 0)
    throw new UserProblem(problems.join("\n"), { hint: "Nothing was started.", exitCode: exitCodes.findings });
  const text = formatFindings(findings, output.paint).trimEnd();
  throw new UserProblem(`the mesh cannot be read\n${[text, ...problems].join("\n")}`, {
    hint: "Nothing was started.",
    exitCode: exitCodes.findings,
  });
}

function withPort(plan: MeshPlan, port: number | undefined): MeshPlan {
  return port === undefined || plan.edge === undefined ? plan : { ...plan, edge: { ...plan.edge, port } };
}

function describeMissing({ workload, command, place, reason }: MissingCommand): string {
  return `${place}: the workload ${workload} cannot be started: its command "${command}" was not found (${reason})`;
}

function missingCommands(missing: readonly MissingCommand[]): UserProblem {
  return new UserProblem(missing.map(describeMissing).join("\n"), {
    hint: `${errorEntry("command_missing").hint} Nothing was started.`,
  });
}
