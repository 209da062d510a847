import assert from "node:assert/strict";
import type { GenerationMessage, SupervisorMessage } from "../supervisor/messages.ts";
import { parseBootstrap } from "../bootstrap/parse.ts";
import { Generation } from "../generation/generation.ts";
import { SocketBroker, type SupervisorChannel } from "../generation/socket-broker.ts";
import { WorkerPool } from "../generation/worker-pool.ts";
import { LineLogger } from "../line-logger.ts";
import { defaultOptions, type ProxyOptions } from "../options/options.ts";
import type { HeldSocket } from "../supervisor/socket-table.ts";

/** A generation with real worker threads and sockets in this process; the supervisor's side of the channel is the test's. */
export class TestProxy implements AsyncDisposable {
  readonly generation: Generation;
  readonly pool: WorkerPool;
  readonly messages: GenerationMessage[] = [];
  readonly #held = new Map<string, HeldSocket>();
  readonly #listeners: ((message: SupervisorMessage) => void)[] = [];
  readonly #ready: Promise<void>;

  private constructor(bootstrap: object, options: Partial<ProxyOptions>, workerEntry: URL | undefined) {
    const parsed = parseBootstrap(JSON.stringify(bootstrap));
    assert.deepEqual(parsed.problems, []);
    assert.ok(parsed.config);
    let isReady: () => void = () => {};
    this.#ready = new Promise((resolve) => {
      isReady = resolve;
    });
    const channel: SupervisorChannel = {
      send: (message, handle) => {
        this.messages.push(message);
        if (message.type === "hold")
          this.#held.set(`${message.key} ${message.boundPort}`, handle as unknown as HeldSocket);
        if (message.type === "release") this.#release(`${message.key} ${message.boundPort}`);
        if (message.type === "ready") isReady();
      },
      onMessage: (listener) => this.#listeners.push(listener),
    };
    const all: ProxyOptions = { ...defaultOptions, logLevel: "off", ...options };
    const logger = new LineLogger("proxy", all.logLevel);
    this.pool = new WorkerPool({
      count: all.concurrency,
      logger,
      random: Math.random,
      tlsKeyLogFile: all.tlsKeyLogFile,
      workerEntry,
    });
    this.generation = new Generation({
      options: all,
      bootstrap: parsed.config,
      channel,
      broker: new SocketBroker(channel, new Map(), []),
      pool: this.pool,
      logger,
      lineage: { hasPredecessor: false, epoch: 0, startedAtMs: Date.now() },
    });
  }

  /** Resolves when it says that it is ready. */
  static async start(bootstrap: object, options: Partial<ProxyOptions> = {}, workerEntry?: URL): Promise<TestProxy> {
    const proxy = await TestProxy.begin(bootstrap, options, workerEntry);
    await proxy.#ready;
    return proxy;
  }

  /** Resolves when it has started, ready or not. */
  static async begin(bootstrap: object, options: Partial<ProxyOptions> = {}, workerEntry?: URL): Promise<TestProxy> {
    const proxy = new TestProxy(bootstrap, options, workerEntry);
    try {
      await proxy.generation.start();
    } catch (error) {
      await proxy[Symbol.asyncDispose]();
      throw error;
    }
    return proxy;
  }

  whenReady(): Promise<void> {
    return this.#ready;
  }

  port(listener: string): number {
    const found = this.generation.listeners().find(({ name }) => name === listener);
    assert.ok(found?.addresses[0], `no listener ${listener}`);
    return found.addresses[0].port;
  }

  get adminPort(): number {
    const held = this.messages.find((message) => message.type === "hold" && message.key === "admin");
    assert.ok(held?.type === "hold");
    return held.boundPort;
  }

  #release(name: string): void {
    this.#held.get(name)?.close();
    this.#held.delete(name);
  }

  /** GET of an admin path, its body. */
  async admin(path: string, init: RequestInit = {}): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.adminPort}${path}`, init);
    return response.text();
  }

  /** Resolves when a counter or gauge, by its dotted name, has this value: a worker's first word of a series takes a moment. */
  async untilStat(name: string, expected: number): Promise<void> {
    const giveUpAt = performance.now() + 10_000;
    for (;;) {
      const series = this.generation.metrics.read().flat();
      const found = series.find(({ dotted }) => dotted === name)?.cells[0];
      if (found === expected) return;
      assert.ok(performance.now() < giveUpAt, `${name} is ${found}, not ${expected}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Resolves when so many connections of a listener were judged in this way. */
  async untilDecided(listener: string, decision: string, expected: number): Promise<void> {
    const giveUpAt = performance.now() + 10_000;
    const wanted = { envoy_listener_address: listener, decision };
    for (;;) {
      const found = this.generation.metrics.total("heddle_listener_protocol_decisions_total", wanted);
      if (found === expected) return;
      assert.ok(performance.now() < giveUpAt, `${found} of ${listener} are ${decision}, not ${expected}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Requests begun and ended, by outcome. */
  ledger(): { started: number; ended: number } {
    const { metrics } = this.generation;
    return {
      started: metrics.total("heddle_requests_started_total"),
      ended: metrics.total("heddle_requests_ended_total"),
    };
  }

  /** Resolves when every request that began has ended in exactly one outcome. The worker counts in memory that is shared, so there is nothing to be told by. */
  async whenBalanced(): Promise<void> {
    const giveUpAt = performance.now() + 10_000;
    for (;;) {
      const { started, ended } = this.ledger();
      if (started === ended) return;
      assert.ok(performance.now() < giveUpAt, `${started} requests began, ${ended} ended`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.generation.drain(0);
    for (const socket of this.#held.values()) socket.close();
  }
}
