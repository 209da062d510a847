import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Secret } from "@heddle/core";
import { ThrowawayCa } from "@heddle/testkit";
import fc from "fast-check";
import type { SocketHandler } from "./fast-socket.ts";
import { FastSocket } from "./fast-socket.ts";
import type { Listener } from "./listener.ts";
import { openListener } from "./listener.ts";
import type { ClientTlsContext, ServerTlsContext } from "./tls-context.ts";
import { buildClientContext, buildServerContext } from "./tls-context.ts";
import { TrustAnchors } from "./trust-anchors.ts";

/** What an owner may do with its connection, at any time. */
const deeds = [
  "write",
  "write-much",
  "write-end",
  "end",
  "destroy",
  "reset",
  "pause",
  "resume",
  "turn",
  "turn",
] as const;
type Deed = (typeof deeds)[number];

/** Numbered letters, so that a lost, repeated or swapped byte shows. */
const stream = Buffer.alloc(1 << 20, "abcdefghijklmnopqrstuvwxyz0123456789");

/** One end: writes the stream from its start, checks that what it reads is the stream from its start. */
class End implements SocketHandler {
  socket: FastSocket | undefined;
  received = 0;
  sent = 0;
  closes = 0;
  ends = 0;
  #hasEnded = false;
  readonly problems: string[] = [];
  readonly closed: Promise<void>;
  #resolve: () => void = () => {};
  readonly #ready: (() => void) | undefined;

  constructor(ready?: () => void) {
    this.#ready = ready;
    this.closed = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  onReady(): void {
    this.#note("ready");
    this.#ready?.();
  }
  onBytes(bytes: Buffer, start: number, end: number): number {
    this.#note("bytes");
    if (this.ends > 0) this.problems.push("bytes after the end");
    const expected = stream.subarray(this.received, this.received + end - start);
    if (bytes.compare(expected, 0, end - start, start, end) !== 0)
      this.problems.push(`other bytes at ${this.received}`);
    // Takes a part only, now and then, to be offered the rest with the next resume.
    const used = (end - start) % 3 === 1 ? Math.ceil((end - start) / 2) : end - start;
    this.received += used;
    return used;
  }
  onEnd(): void {
    this.#note("end");
    this.ends += 1;
    // Both halves must be closed for a connection to be over.
    this.act("end");
  }
  onDrain(): void {
    this.#note("drain");
  }
  onClose(): void {
    this.closes += 1;
    this.#resolve();
  }

  act(deed: Deed): void {
    const { socket } = this;
    if (socket === undefined) return;
    switch (deed) {
      case "write":
        return this.#write(100);
      case "write-much":
        return this.#write(150_000);
      case "write-end":
        // The last bytes and the end arrive together, in one read.
        this.#write(100);
        return this.act("end");
      case "end":
        this.#hasEnded = true;
        return socket.end();
      case "destroy":
        return socket.destroy();
      case "reset":
        return socket.reset();
      case "pause":
        return socket.pause();
      case "resume":
        return socket.resume();
      case "turn":
        return undefined;
    }
  }

  #write(count: number): void {
    const length = Math.min(count, stream.length - this.sent);
    if (this.socket?.isOpen !== true || this.#hasEnded) return;
    this.socket.write(stream, this.sent, this.sent + length);
    this.sent += length;
  }

  #note(event: string): void {
    if (this.closes > 0) this.problems.push(`${event} after close`);
  }
}

let listener: Listener;
let onAccepted: (socket: FastSocket) => void;
let serverTls: ServerTlsContext;
let clientTls: ClientTlsContext;

before(async () => {
  const ca = await ThrowawayCa.create();
  const anchors = TrustAnchors.fromPem(ca.certificatePem);
  assert.ok(anchors);
  const { chainPem, privateKeyPem } = await ca.issue("spiffe://cluster.local/ns/default/sa/web");
  const common = {
    epoch: 1,
    certificate: { chainPem, privateKeyPem: new Secret(privateKeyPem) },
    minVersion: "1.3",
    maxVersion: "1.3",
    alpn: [],
  } as const;
  const policy = { anchors, sanMatchers: [], requireSpiffeId: true };
  const server = buildServerContext({
    ...common,
    policy: { ...policy, usage: "client" },
    requirePeerCertificate: true,
    requireSni: false,
    sessionTickets: true,
  });
  const client = buildClientContext({ ...common, policy: { ...policy, usage: "server" }, sni: "" });
  assert.ok(server.ok && client.ok);
  serverTls = server.context;
  clientTls = client.context;
  listener = await openListener({ host: "127.0.0.1", port: 0 }, { onConnection: (socket) => onAccepted(socket) });
});

after(() => listener.close());

/** A connection whose two ends are not necessarily ready yet. */
function connectEnds(isTls: boolean): Promise<[server: End, client: End]> {
  return new Promise((resolve) => {
    const client = new End();
    onAccepted = (socket) => {
      const server = new End();
      server.socket = socket;
      if (isTls) socket.upgrade(serverTls, Date.now, server);
      else socket.start(server);
      resolve([server, client]);
    };
    const dialer = new End(() => {
      if (isTls) client.socket?.upgrade(clientTls, Date.now, client);
      else client.socket?.start(client);
    });
    client.socket = FastSocket.connect(listener.address, dialer);
    // Until the upgrade, or the start, the dialer is the handler: it passes the end on.
    void dialer.closed.then(() => client.onClose());
  });
}

test("a connection that is reset while its own end is on its way is closed, and both sides are told", async () => {
  // An end that waits for a full kernel buffer, one that a reset of the peer overtakes, and one that the peer reads.
  for (const deedsOfClient of [[], ["destroy"], ["write-end", "reset"], ["resume", "write-end"]] as const) {
    for (const written of [0, 7]) {
      const [server, client] = await connectEnds(false);
      client.act("pause");
      for (let count = 0; count < written; count += 1) server.act("write-much");
      server.act("end");
      await new Promise((resolve) => setImmediate(resolve));
      server.act("reset");
      for (const deed of deedsOfClient) client.act(deed);
      await server.closed;
      // Nothing but what the reset did ends it: it only reads, in parts.
      const reading = setInterval(() => client.act("resume"), 1);
      await client.closed;
      clearInterval(reading);
      assert.deepEqual([server.closes, client.closes], [1, 1]);
    }
  }
});

type Life = [isTls: boolean, plan: [isServer: boolean, deed: Deed][]];

function life(plan: string): Life {
  const steps = plan.split(", ").map((step): [boolean, Deed] => {
    const [end, deed] = step.split(" ");
    return [end === "server", deed as Deed];
  });
  return [true, steps];
}
const resetsUnderWrites: Life[] = [
  life(
    "client turn, client resume, client write, server end, server turn, client resume, client write, server reset, client turn, client write-much",
  ),
  life(
    "server resume, client turn, client turn, server reset, server turn, client write-much, client resume, server destroy, server write-end",
  ),
].flatMap((one) => Array.from({ length: 20 }, () => one));

test("whatever both owners do, each hears of the close once and last, and reads what was sent, or a prefix of it", async () => {
  const script = fc.array(fc.tuple(fc.boolean(), fc.constantFrom(...deeds)), { minLength: 1, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(fc.boolean(), script, async (isTls, plan) => {
      const [server, client] = await connectEnds(isTls);
      const isOrderly = plan.every(([, deed]) => deed !== "destroy" && deed !== "reset");
      for (const [isServer, deed] of plan) {
        (isServer ? server : client).act(deed);
        if (deed === "turn") await new Promise((resolve) => setImmediate(resolve));
      }
      // The rest of every life: both read on and close their halves until the connection is over.
      const reading = setInterval(() => {
        for (const end of [server, client]) {
          end.act("resume");
          end.act("end");
        }
      }, 1);
      await Promise.all([server.closed, client.closed]);
      clearInterval(reading);
      await new Promise((resolve) => setImmediate(resolve));
      for (const [end, other] of [
        [server, client],
        [client, server],
      ] as const) {
        assert.deepEqual(end.problems, []);
        assert.equal(end.closes, 1);
        assert.ok(end.ends <= 1);
        assert.ok(end.received <= other.sent);
        if (isOrderly) assert.equal(end.received, other.sent);
        end.act("write");
        end.act("destroy");
      }
    }),
    // Lives that left a TLS client waiting for ever: the server resets while a large write of the client is under way.
    { numRuns: 340, examples: resetsUnderWrites },
  );
});
