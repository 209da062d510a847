import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectRaw, type EchoServer, startEchoServer } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route } from "./bootstrap-json.ts";
import { Http2Attacker } from "./http2-attacker.ts";
import { adminGet, childrenOf, listenerPort, ProxyProcess } from "./proxy-process.ts";

type Json = Record<string, unknown>;

/** What any attack may add to the memory of the proxy. */
const allowedGrowthBytes = 64 * 1024 * 1024;
/** Generous: it only bounds how long a broken test hangs. */
const patienceMs = 30_000;
/** Answers of the application at `/app/large`: more than all windows and buffers on the way. */
const largeAnswerBytes = 8 * 1024 * 1024;
/** Answers at `/app/short`: what the proxy takes whole, whether or not its client reads. */
const shortAnswerBytes = 32 * 1024;
const large = Buffer.alloc(64 * 1024, "large ");

export interface ArenaOptions {
  /** Fields of the connection manager. */
  readonly manager?: Json;
  /** HTTP filters before the router. */
  readonly filters?: readonly Json[];
  /** Fields of the listener. */
  readonly listener?: Json;
  readonly transportSocket?: Json;
  /** Fields of its filter chain. */
  readonly chain?: Json;
  /** Routes before `/app`, and their clusters. */
  readonly routes?: readonly Json[];
  readonly clusters?: readonly Json[];
}

export interface Outcome<T> {
  readonly result: T;
  /** Requests of a client that has nothing to do with the attack, all of them answered by 200. */
  readonly victimRequests: number;
  /** Requests that reached the application through the attack. */
  readonly handled: number;
}

/**
 * A proxy as its users run it, in processes of its own, before an application: `/app` answers at once, `/app/short` with 32 KiB, `/app/large` with 8 MiB, `/app/never` not at all; any
 * other path is a 404 of the proxy. A plain listener `quiet` is there for the victim.
 */
export class AttackArena implements AsyncDisposable {
  readonly app: EchoServer;
  readonly port: number;
  readonly adminPort: number;
  readonly #quietPort: number;
  readonly #pid: number;
  readonly #open: AsyncDisposableStack;

  private constructor(
    app: EchoServer,
    ports: { readonly attacked: number; readonly quiet: number; readonly admin: number },
    pid: number,
    open: AsyncDisposableStack,
  ) {
    this.app = app;
    this.port = ports.attacked;
    this.#quietPort = ports.quiet;
    this.adminPort = ports.admin;
    this.#pid = pid;
    this.#open = open;
  }

  static async start(options: ArenaOptions = {}): Promise<AttackArena> {
    const open = new AsyncDisposableStack();
    try {
      return await AttackArena.#build(options, open);
    } catch (error) {
      await open.disposeAsync();
      throw error;
    }
  }

  static async #build(options: ArenaOptions, open: AsyncDisposableStack): Promise<AttackArena> {
    const { routes = [], clusters = [], ...attacked } = options;
    const app = open.use(await startEchoServer({ respond: (request, response) => answer(request, response) }));
    const folder = await mkdtemp(join(tmpdir(), "heddle-attack-"));
    open.defer(() => rm(folder, { recursive: true, force: true }));
    const path = join(folder, "envoy.json");
    const toApp = route("/app", "app");
    const config = bootstrap(
      [
        httpListener({ name: "attacked", routes: [...routes, toApp], ...attacked }),
        httpListener({ name: "quiet", routes: [toApp] }),
      ],
      [cluster("app", [app.port]), ...clusters],
    );
    await writeFile(path, JSON.stringify(config));
    const proxy = open.use(new ProxyProcess(["-c", path], { patienceMs: 45_000 }));
    const admin = await proxy.ready();
    const [pid] = await childrenOf(proxy.process.pid!);
    assert.ok(pid !== undefined, "the proxy has a generation");
    const ports = {
      attacked: await listenerPort(admin, "attacked"),
      quiet: await listenerPort(admin, "quiet"),
      admin,
    };
    const arena = new AttackArena(app, ports, pid, open);
    // What the proxy allocates for its first requests is no growth.
    await arena.#visit(() => false, 500);
    return arena;
  }

  /**
   * Runs an attack while a victim uses the same proxy, and holds what every attack must hold: the victim sees nothing of it, and the memory of the
   * proxy grows by less than 64 MB.
   */
  async endures<T>(attack: (port: number) => Promise<T>): Promise<Outcome<T>> {
    const before = this.residentBytes();
    const arrivedBefore = this.app.requestsBegun;
    const state = { isOver: false };
    const victim = this.#visit(() => state.isOver, Number.POSITIVE_INFINITY);
    const attacked = attack(this.port).finally(() => (state.isOver = true));
    const [result, victimRequests] = await Promise.all([attacked, victim]);
    const grown = this.residentBytes() - before;
    assert.ok(grown < allowedGrowthBytes, `the proxy grew by ${Math.round(grown / 1024 / 1024)} MB`);
    assert.ok(victimRequests > 0, "the victim was served during the attack");
    return { result, victimRequests, handled: this.app.requestsBegun - arrivedBefore - victimRequests };
  }

  /** As `endures`, by one HTTP/2 connection whose first frame may be other than empty SETTINGS. */
  attacks<T>(run: (attacker: Http2Attacker) => Promise<T>, first?: Buffer): Promise<Outcome<T>> {
    return this.endures((port) => Http2Attacker.attack(port, run, first));
  }

  /** A statistic by Envoy's name; 0 when it is not there yet. */
  async stat(name: string): Promise<number> {
    const json = JSON.parse(await adminGet(this.adminPort, "/stats?format=json")) as {
      stats: { name: string; value: number }[];
    };
    return json.stats.find((stat) => stat.name === name)?.value ?? 0;
  }

  /** Resolves when a statistic is `value`: the proxy may be behind with what was sent. */
  async untilStat(name: string, value: number): Promise<void> {
    const giveUpAt = performance.now() + patienceMs;
    for (;;) {
      const found = await this.stat(name);
      if (found === value) return;
      assert.ok(performance.now() < giveUpAt, `${name} is ${found}, not ${value}`);
    }
  }

  /** Of the process that carries traffic. */
  residentBytes(): number {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.#pid}/status`, "utf8"))?.[1];
    return Number(kilobytes) * 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open.disposeAsync();
  }

  /** Request after request on one connection, each of which must be answered. @returns how many */
  async #visit(isOver: () => boolean, limit: number): Promise<number> {
    const client = await connectRaw(this.#quietPort);
    let count = 0;
    try {
      while (count < limit && (count === 0 || !isOver())) {
        await client.send("GET /app/victim HTTP/1.1\r\nhost: victim\r\n\r\n");
        const { head } = await client.response();
        assert.match(head, /^HTTP\/1\.1 200 /, "the victim's answer");
        count += 1;
      }
    } finally {
      await client[Symbol.asyncDispose]();
    }
    return count;
  }
}

function answer({ url = "" }: IncomingMessage, response: ServerResponse): boolean {
  if (url.startsWith("/app/never")) return true;
  if (url.startsWith("/app/short")) {
    response.end(large.subarray(0, shortAnswerBytes));
    return true;
  }
  if (!url.startsWith("/app/large")) return false;
  response.setHeader("content-length", largeAnswerBytes);
  let left = largeAnswerBytes;
  const more = (): void => {
    while (left > 0) {
      left -= large.length;
      if (!response.write(large)) return void response.once("drain", more);
    }
    response.end();
  };
  more();
  return true;
}
