import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { stateFolderName } from "@heddle/control-plane";
import type { MeshMode } from "@heddle/api";
import type { TrustBundleResponse } from "@heddle/control-plane/admin-api";
import type { AdminClient } from "../local-mesh/admin-client.ts";
import type { MeshRunner } from "../local-mesh/mesh-runner.ts";
import type { Replica } from "../local-mesh/replica.ts";
import { BookshopFiles } from "./bookshop-files.ts";
import { EdgeClient } from "./edge-client.ts";
import type { Outcome } from "./edge-client.ts";
import type { LineLog } from "./line-log.ts";
import { Load } from "./load.ts";
import type { LoadRequest } from "./load.ts";

const pollMs = 20;

/** The bookshop as checks see it: a client outside, the files, and the processes. */
export class RunningDemo {
  readonly runner: MeshRunner;
  readonly client: EdgeClient;
  readonly files: BookshopFiles;
  readonly log: LineLog;
  /** host:port of the edge. */
  readonly address: string;
  readonly stateDir: string;
  readonly #loads: Load[] = [];
  readonly #closed = new AbortController();
  #trustBundle: TrustBundleResponse | undefined;

  constructor(runner: MeshRunner, folder: string, edgeAddress: string, log: LineLog) {
    this.runner = runner;
    this.client = new EdgeClient(edgeAddress);
    this.files = new BookshopFiles(folder);
    this.log = log;
    this.address = edgeAddress;
    this.stateDir = join(folder, stateFolderName);
  }

  get mode(): MeshMode {
    return this.runner.mode;
  }

  replica(id: string): Replica {
    const replica = this.runner.replicas.get(id);
    if (replica === undefined) throw new Error(`the bookshop has no replica ${id}`);
    return replica;
  }

  async admin(): Promise<AdminClient> {
    const admin = await this.runner.controlPlane.admin();
    if (admin === undefined) throw new Error("the control plane is not running");
    return admin;
  }

  /** The mesh's anchors, also while there is no control plane to ask. */
  async trustBundle(): Promise<TrustBundleResponse> {
    this.#trustBundle ??= await (await this.admin()).trustBundle();
    return this.#trustBundle;
  }

  /** Aborted when nobody looks any more. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /**
   * Requests at a steady rate, until their `stop`, the end of the check or that of the demo.
   *
   * @param onOutcome takes the outcomes, which else are kept
   */
  startLoad(requestsPerSecond: number, next: () => LoadRequest, onOutcome?: (outcome: Outcome) => void): Load {
    const load = new Load(this.client, requestsPerSecond, next, onOutcome);
    this.#loads.push(load);
    return load;
  }

  /** Stops what is left running, and waits for what was sent. */
  async endLoads(): Promise<void> {
    await Promise.all(this.#loads.splice(0).map((load) => load.stop()));
  }

  /** Makes an edit of the resources, and waits until every proxy has it. */
  async change(edit: () => Promise<unknown>, limitMs = 15_000): Promise<void> {
    const { configVersion } = await (await this.admin()).proxies();
    await edit();
    await this.untilChanged(configVersion, limitMs);
  }

  /** Waits until every proxy has a configuration that is newer than `configVersion`. */
  async untilChanged(configVersion: number, limitMs = 15_000): Promise<void> {
    const admin = await this.admin();
    const isInForce = await until(async () => {
      const now = await admin.proxies();
      return now.configVersion > configVersion && now.proxies.every((proxy) => proxy.isSynced);
    }, limitMs);
    if (!isInForce) throw new Error(`a change of the resources was not in force after ${limitMs / 1000} s`);
  }

  /** The share of reviews that v2 answers, in force everywhere. */
  async ensureReviewsShare(percentOfV2: number): Promise<void> {
    const text = await this.files.read("mesh/reviews.yaml");
    const shares = [...text.matchAll(/weight: (\d+)/g)].map((match) => Number(match[1]));
    if (shares[1] !== percentOfV2) await this.change(() => this.files.setReviewsShare(percentOfV2));
  }

  /** The mesh as it should be after something was repaired. */
  async ensureReady(limitMs = 30_000): Promise<void> {
    const readiness = await this.runner.whenReady(limitMs);
    if (!readiness.ready) throw new Error(`not ready after ${limitMs / 1000} s: ${readiness.missing.join(", ")}`);
  }

  /** The control plane, running; started when it is held down. */
  async ensureControlPlane(): Promise<void> {
    const { controlPlane } = this.runner;
    if (controlPlane.pid === undefined) await controlPlane.release();
    await this.ensureReady();
  }

  /** Before the mesh is stopped, which would fail what is still sent. */
  async close(): Promise<void> {
    this.#closed.abort();
    await this.endLoads();
    this.client.close();
  }
}

/** Whether something became true within `limitMs`. What throws is not true yet. */
export async function until(isTrue: () => Promise<boolean>, limitMs: number): Promise<boolean> {
  const end = performance.now() + limitMs;
  for (;;) {
    if (await isTrue().catch(() => false)) return true;
    if (performance.now() >= end) return false;
    await delay(pollMs);
  }
}
