import type { MeshMode } from "@heddle/api";
import { dirname } from "node:path";
import { chooseMode } from "../local-mesh/mode.ts";
import { giveToCaller } from "../local-mesh/namespaces/caller.ts";
import type { MeshOutput } from "../up/mesh-output.ts";
import { MeshSession, refuseMode } from "../up/mesh-session.ts";
import { UserProblem } from "../user-problem.ts";
import type { LineLog } from "./line-log.ts";
import { addTcpServices } from "./tcp-services.ts";
import { RunningDemo } from "./running-demo.ts";
import type { Workspace } from "./workspace.ts";
import { createWorkspace } from "./workspace.ts";

export interface ShopOptions {
  /** Port of the edge; 0 for any free one. */
  readonly port: number;
  /** Undefined: the best that is possible. */
  readonly mode: MeshMode | undefined;
  /** It gets services that do not speak HTTP, for the check of what only namespaces can do. */
  readonly isChecked?: boolean;
  readonly output: MeshOutput;
  /** What the processes write; part of what `output` gets. */
  readonly log: LineLog;
}

const readyLimitMs = 60_000;

/** A copy of the bookshop in a temporary folder, and the mesh that runs it. */
export class Shop {
  readonly #options: ShopOptions;
  readonly #workspace: Workspace;
  readonly #session: MeshSession;
  #running: RunningDemo | undefined;

  private constructor(options: ShopOptions, workspace: Workspace, session: MeshSession) {
    this.#options = options;
    this.#workspace = workspace;
    this.#session = session;
  }

  /** Makes the copy and checks it; nothing is started yet. */
  static async prepare(options: ShopOptions): Promise<Shop> {
    const workspace = await createWorkspace();
    const { folder } = workspace;
    try {
      const { output, port, isChecked } = options;
      const mode = await chooseMode(options.mode).catch(refuseMode);
      if (mode.mode === "namespaces" && isChecked === true) await addTcpServices(folder);
      const session = await MeshSession.open({ folder, output, edgePort: port, mode, proxyLogLevel: "info" });
      // Its programs run as whoever called.
      if (mode.mode === "namespaces") await giveToCaller(dirname(folder));
      return new Shop(options, workspace, session);
    } catch (error) {
      await workspace.remove();
      throw error;
    }
  }

  /** In which mode it runs, and why. */
  get notice(): string {
    return this.#session.mode.notice;
  }

  get mode(): MeshMode {
    return this.#session.mode.mode;
  }

  get folder(): string {
    return this.#workspace.folder;
  }

  /** Starts every process; resolves when all are ready. */
  async open(): Promise<RunningDemo> {
    await this.#session.start();
    const { runner } = this.#session;
    const address = runner.edge?.address;
    if (address === undefined) throw new Error("the bookshop has no edge");
    const readiness = await runner.whenReady(readyLimitMs);
    if (!readiness.ready) {
      throw new UserProblem(
        `the bookshop is not ready after ${readyLimitMs / 1000} s: ${readiness.missing.join(", ")}`,
      );
    }
    this.#running = new RunningDemo(runner, this.folder, address, this.#options.log);
    return this.#running;
  }

  /** Ends every process and removes the copy. */
  async close(): Promise<void> {
    await this.#running?.close();
    await this.#session.stop();
    await this.#workspace.remove();
  }
}
