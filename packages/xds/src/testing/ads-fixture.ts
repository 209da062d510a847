import type { ServerHttp2Session } from "node:http2";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { createContextValues } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { silentLogger } from "@heddle/core";
import type { AdsServerOptions, ResourceSnapshot } from "../server/index.ts";
import { AdsServer } from "../server/index.ts";
import { EventWaiter } from "@heddle/testkit";

export const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

/** An ADS server on a plaintext HTTP/2 port; a request's `x-test-peer` header is its verified identity. */
export class AdsFixture {
  readonly server: AdsServer<string>;
  readonly changes = new EventWaiter();
  /** Calls of onNode and onGone. */
  readonly calls: string[] = [];
  /** proxy → what onNode sets. */
  readonly snapshots = new Map<string, ResourceSnapshot>();
  readonly #sessions = new Set<ServerHttp2Session>();
  #port = 0;

  constructor(options: Partial<AdsServerOptions<string>> = {}) {
    this.server = new AdsServer<string>({
      authorize: (_peer, node) => ({ ok: true, proxyId: node.id }),
      onNode: (proxyId) => {
        this.calls.push(`node ${proxyId}`);
        const snapshot = this.snapshots.get(proxyId);
        if (snapshot !== undefined) this.server.setSnapshot(proxyId, snapshot);
        this.changes.notify();
      },
      onGone: (proxyId) => {
        this.calls.push(`gone ${proxyId}`);
        this.changes.notify();
      },
      onStatusChange: this.changes.notify,
      identifier: "control-plane-1",
      clock,
      logger: silentLogger,
      ...options,
    });
  }

  /** Listens, the first time on a free port, later on the same one; `t` closes it. */
  async listen(t: TestContext): Promise<void> {
    const server = createServer(
      connectNodeAdapter({
        routes: this.server.routes,
        contextValues: (request) =>
          createContextValues().set(this.server.peerKey, request.headers["x-test-peer"]?.toString()),
      }),
    );
    server.on("session", (session) => {
      this.#sessions.add(session);
      session.once("close", () => this.#sessions.delete(session));
    });
    await new Promise<void>((resolve) => {
      server.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
    t.after(async () => {
      this.breakConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    });
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get url(): string {
    return `http://${this.address}`;
  }

  /** As when the server's host vanishes and comes back. */
  breakConnections(): void {
    for (const session of this.#sessions) session.destroy();
  }

  push(proxyId: string, snapshot: ResourceSnapshot): void {
    this.snapshots.set(proxyId, snapshot);
    this.server.setSnapshot(proxyId, snapshot);
  }

  async synced(proxyId: string, version: string): Promise<void> {
    await this.changes.until(`${proxyId} to have ${version}`, () =>
      this.server.status().some((status) => status.proxyId === proxyId && status.syncedVersion === version),
    );
  }
}
