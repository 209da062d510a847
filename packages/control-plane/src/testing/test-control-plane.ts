import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { WorkloadInstance } from "@heddle/compiler";
import { replaceFile } from "@heddle/state";
import type { JoinTokenCreateResponse, ProxiesResponse, TrustBundleResponse } from "../admin-api/index.ts";
import type { RunningControlPlane } from "../control-plane.ts";
import type { ControlPlaneOptions } from "../control-plane.ts";
import { startControlPlane } from "../control-plane.ts";
import { readRunFile } from "../run-file.ts";
import { writeInstances } from "../sources/instances-file.ts";
import { identityOf, instances, meshFile } from "./mesh-files.ts";
import { RecordingLogger } from "./recording-logger.ts";
import { ShiftedClock } from "./shifted-clock.ts";
import type { TestProxyOptions } from "./test-proxy.ts";
import { TestProxy } from "./test-proxy.ts";
import type { TestIdentity } from "./test-workload.ts";
import { createCertificate, newRequest } from "./test-workload.ts";

export interface AdminReply<Body = unknown> {
  readonly status: number;
  readonly text: string;
  readonly json: Body;
}

/** A control plane over a folder of its own, on real ports, in this process. The test context ends it and removes the folder. */
export class TestControlPlane {
  readonly folder: string;
  readonly stateDir: string;
  readonly clock = new ShiftedClock();
  readonly logger = new RecordingLogger();
  readonly #proxies = new Set<TestProxy>();
  #running: RunningControlPlane | undefined;
  #adminAddress = "";
  #xdsAddress = "";
  #token = "";
  rootPem = "";

  private constructor(folder: string) {
    this.folder = folder;
    this.stateDir = join(folder, ".heddle");
  }

  /** A folder with the mesh of `mesh-files.ts` and these files; nothing runs yet. */
  static async create(t: TestContext, files: Readonly<Record<string, string>> = {}): Promise<TestControlPlane> {
    const plane = new TestControlPlane(await mkdtemp(join(tmpdir(), "heddle-control-plane-")));
    t.after(async () => {
      await plane.stop();
      await rm(plane.folder, { recursive: true, force: true });
    });
    for (const [path, text] of Object.entries({ "mesh.yaml": meshFile, ...files })) await plane.write(path, text);
    await plane.register(instances);
    return plane;
  }

  static async start(t: TestContext, files: Readonly<Record<string, string>> = {}): Promise<TestControlPlane> {
    const plane = await TestControlPlane.create(t, files);
    await plane.start();
    return plane;
  }

  async start(options: Partial<ControlPlaneOptions> = {}): Promise<void> {
    const anyPort = { host: "127.0.0.1", port: 0 };
    const { folder, stateDir, clock, logger } = this;
    const all = { folder, stateDir, xdsAddress: anyPort, adminAddress: anyPort, clock, logger, ...options };
    const running = await startControlPlane(all);
    this.#running = running;
    this.#adminAddress = running.adminAddress;
    this.#xdsAddress = running.xdsAddress;
    const found = await readRunFile(all.stateDir);
    this.#token = found.kind === "found" ? found.run.token : "";
    this.rootPem = (await this.admin<TrustBundleResponse>("GET", "/api/v1/trust-bundle")).json.pem;
  }

  /** Ends the control plane and leaves its proxies as they are. */
  async halt(): Promise<void> {
    await this.#running?.stop();
    this.#running = undefined;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#proxies].map((proxy) => proxy.stop()));
    this.#proxies.clear();
    await this.halt();
  }

  /** host:port of the last start. */
  get xdsAddress(): string {
    return this.#xdsAddress;
  }

  get adminAddress(): string {
    return this.#adminAddress;
  }

  /** Writes a resource file as an editor does that replaces the old one whole. */
  async write(path: string, text: string): Promise<void> {
    await replaceFile(join(this.folder, path), text);
  }

  /** Writes over a file in place. */
  async overwrite(path: string, text: string): Promise<void> {
    await writeFile(join(this.folder, path), text);
  }

  async remove(path: string): Promise<void> {
    await rm(join(this.folder, path));
  }

  async register(list: readonly WorkloadInstance[]): Promise<void> {
    await writeInstances(join(this.stateDir, "instances.json"), list);
  }

  /** Resolves when the control plane has read a list of so many instances. */
  async knows(count: number): Promise<void> {
    for (;;) {
      const { json } = await this.admin<ProxiesResponse>("GET", "/api/v1/proxies");
      if (json.proxies.length === count) return;
      await delay(10);
    }
  }

  admin<Body = unknown>(method: string, path: string, body?: unknown): Promise<AdminReply<Body>> {
    return new Promise((resolve, reject) => {
      const call = request(
        `http://${this.#adminAddress}${path}`,
        { method, agent: false, headers: { authorization: `Bearer ${this.#token}` } },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => {
            const text = Buffer.concat(chunks).toString("utf8");
            const isJson = response.headers["content-type"]?.startsWith("application/json") === true;
            resolve({ status: response.statusCode ?? 0, text, json: (isJson ? JSON.parse(text) : undefined) as Body });
          });
        },
      );
      call.on("error", reject);
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async joinToken(identity: string, more: { uses?: number; lifeMs?: number } = {}): Promise<string> {
    const reply = await this.admin<JoinTokenCreateResponse>("POST", "/api/v1/join-tokens", { identity, ...more });
    return reply.json.token;
  }

  /** A workload's first certificate, by join token. */
  async join(serviceAccount: string, validitySeconds = 0): Promise<TestIdentity> {
    const identity = identityOf(serviceAccount);
    const { keyPem, csr } = await newRequest(identity);
    const token = await this.joinToken(identity);
    const chain = await createCertificate({
      address: this.#xdsAddress,
      rootPem: this.rootPem,
      token,
      csr,
      validitySeconds,
    });
    return { keyPem, chainPem: chain.slice(0, -1).join("\n") };
  }

  /** A proxy that connects, with the certificate of its workload unless another is given. */
  async proxy(
    instanceId: string,
    options: Partial<Omit<TestProxyOptions, "instanceId" | "address" | "rootPem">> = {},
  ): Promise<TestProxy> {
    const serviceAccount = instances.find(({ id }) => id === instanceId)?.serviceAccount ?? instanceId;
    const identity = "identity" in options ? options.identity : await this.join(serviceAccount);
    const proxy = new TestProxy({
      ...options,
      address: () => this.#xdsAddress,
      rootPem: this.rootPem,
      identity,
      instanceId,
    });
    this.#proxies.add(proxy);
    return proxy.start();
  }
}
