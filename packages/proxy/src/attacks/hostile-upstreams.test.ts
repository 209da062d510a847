import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { after, before, test } from "node:test";
import { connectRaw } from "@heddle/testkit";
import { AttackArena } from "../testing/attack-arena.ts";
import { cluster, http2Cluster, route } from "../testing/bootstrap-json.ts";
import { HostileUpstream, type Http2Behaviour } from "../testing/hostile-upstream.ts";
import {
  block,
  data,
  frame,
  frameType,
  headers,
  indexedLiteral,
  newestEntry,
  ping,
  rstStream,
  settings,
  windowUpdate,
} from "../testing/http2-frames.ts";

// An origin that attacks the proxy, which is its client: the upstream variants of Envoy's flood tests. Whoever asked gets a 502 or 503, and nobody else
// notices.

let arena: AttackArena;
let http1: HostileUpstream;
let http2: HostileUpstream;

before(async () => {
  http1 = await HostileUpstream.start();
  http2 = await HostileUpstream.start();
  arena = await AttackArena.start({
    routes: [route("/http1", "http1"), route("/http2", "http2")],
    clusters: [cluster("http1", [http1.port]), cluster("http2", [http2.port], http2Cluster())],
  });
});
after(async () => {
  await arena[Symbol.asyncDispose]();
  await http1[Symbol.asyncDispose]();
  await http2[Symbol.asyncDispose]();
});

/** Asks for a path and reads what comes to its end, without keeping it. @returns the status, 0 for none, and how much came */
async function ask(port: number, path: string): Promise<{ status: number; bytes: number }> {
  const client = await connectRaw(port);
  await client.send(`GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
  const text = await client.untilEnd().finally(() => client[Symbol.asyncDispose]());
  const statuses = [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status));
  return { status: statuses.find((status) => status >= 200) ?? 0, bytes: text.length };
}

const ok = (streamId: number): Buffer => headers(streamId, [[":status", "200"]], false);
const { headers: HEADERS, continuation, priority } = frameType;

interface Flood {
  readonly what: string;
  readonly stat: string;
  readonly behave: Http2Behaviour;
  /** What the client sees: 502 or 503 before the answer has begun, 200 and a broken body behind it. */
  readonly status: RegExp;
}

const endless =
  (step: (streamId: number) => Buffer, first?: (streamId: number) => Buffer, isUnread = false): Http2Behaviour =>
  async (peer, streamId) => {
    if (isUnread) peer.socket.pause();
    if (first !== undefined) await peer.send(first(streamId));
    await peer.flood(() => step(streamId), 1_000_000, 1000);
  };

const floods: readonly Flood[] = [
  {
    what: "PING, with answers that are not read",
    stat: "outbound_control_flood",
    behave: endless(() => ping, undefined, true),
    status: /50[23]/,
  },
  {
    what: "SETTINGS, with answers that are not read",
    stat: "outbound_control_flood",
    behave: endless(() => settings(), undefined, true),
    status: /50[23]/,
  },
  { what: "empty DATA", stat: "inbound_empty_frames_flood", behave: endless((id) => data(id, ""), ok), status: /200/ },
  {
    what: "PRIORITY",
    stat: "inbound_priority_frames_flood",
    behave: endless((id) => frame(priority, 0, id, "\0\0\0\0\0")),
    status: /50[23]/,
  },
  {
    what: "WINDOW_UPDATE",
    stat: "inbound_window_update_frames_flood",
    behave: endless(() => windowUpdate(0, 1)),
    status: /50[23]/,
  },
  {
    what: "a header block without an end",
    stat: "header_overflow",
    behave: endless(
      (id) => frame(continuation, 0, id, block([["x-piece", "x".repeat(16_000)]])),
      (id) => frame(HEADERS, 0, id, block([[":status", "200"]])),
    ),
    status: /50[23]/,
  },
  {
    what: "one large field that is named again and again",
    stat: "header_overflow",
    behave: async (peer, id) => {
      const bomb = Buffer.concat([
        block([[":status", "200"]]),
        indexedLiteral("x-bomb", "x".repeat(4000)),
        Buffer.alloc(8000, newestEntry),
      ]);
      await peer.send(frame(HEADERS, 0x5, id, bomb));
    },
    status: /50[23]/,
  },
  {
    what: "informational responses without an answer",
    stat: "rx_messaging_error",
    behave: endless((id) =>
      headers(
        id,
        [
          [":status", "103"],
          ["link", "</x>; rel=preload"],
        ],
        false,
      ),
    ),
    status: /50[23]/,
  },
  {
    what: "trailers that are too large",
    stat: "header_overflow",
    behave: async (peer, id) => {
      const bomb = Buffer.concat([indexedLiteral("x-bomb", "x".repeat(4000)), Buffer.alloc(8000, newestEntry)]);
      await peer.send(ok(id), data(id, "body"), frame(HEADERS, 0x5, id, bomb));
    },
    status: /200/,
  },
  {
    what: "more data than the window allows",
    stat: "rx_messaging_error",
    behave: endless(
      (id) => data(id, Buffer.alloc(16_384)),
      (id) => headers(id, [[":status", "103"]], false),
    ),
    status: /50[23]/,
  },
  {
    what: "a window beyond its end",
    stat: "rx_messaging_error",
    behave: endless((id) => windowUpdate(id, 2 ** 31 - 1)),
    status: /50[23]/,
  },
];

for (const { what, stat, behave, status } of floods) {
  test(`an HTTP/2 upstream that floods with ${what} loses its connection or stream`, async () => {
    const name = `cluster.http2.http2.${stat}`;
    const counted = await arena.stat(name);
    http2.behaveHttp2(behave);
    const outcome = await arena.endures((port) => ask(port, "/http2"));
    assert.match(String(outcome.result.status), status);
    assert.ok((await arena.stat(name)) > counted, `${name} counts it`);
  });
}

test("an upstream that resets every stream costs one answer each, and is not hammered", async () => {
  http2.behaveHttp2((peer, streamId) => peer.send(rstStream(streamId, 2)));
  const connections = http2.connections;
  const outcome = await arena.endures(async (port) => {
    const statuses: number[] = [];
    for (let index = 0; index < 200; index += 1) statuses.push((await ask(port, "/http2")).status);
    return statuses;
  });
  assert.deepEqual([...new Set(outcome.result)], [503]);
  assert.ok(http2.connections - connections <= 2, "one connection carries them all");
});

/** Writes until the other side has had enough. */
function pour(socket: Socket, first: string, piece: string): void {
  const bytes = Buffer.from(piece.repeat(Math.ceil(16_384 / piece.length)), "latin1");
  let left = 64 * 1024 * 1024;
  const more = (): void => {
    while (left > 0 && !socket.destroyed) {
      left -= bytes.length;
      if (!socket.write(bytes)) return void socket.once("drain", more);
    }
    socket.destroy();
  };
  socket.once("data", () => {
    socket.write(first);
    more();
  });
}

const http1Floods: readonly { what: string; first: string; piece: string; status: RegExp }[] = [
  { what: "a status line without an end", first: "HTTP/1.1 200 ", piece: "O", status: /50[23]/ },
  { what: "header fields without an end", first: "HTTP/1.1 200 OK\r\n", piece: "x-more: 1\r\n", status: /50[23]/ },
  { what: "one header field without an end", first: "HTTP/1.1 200 OK\r\nx-long: ", piece: "x", status: /50[23]/ },
  {
    what: "informational responses without an answer",
    first: "",
    piece: "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n",
    status: /50[23]/,
  },
  {
    what: "a chunk extension without an end",
    first: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;",
    piece: "x",
    status: /200/,
  },
  {
    what: "trailers without an end",
    first: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
    piece: "x-more: 1\r\n",
    status: /200/,
  },
  {
    what: "another answer behind its answer",
    first: "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    piece: "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged",
    status: /200/,
  },
];

for (const { what, first, piece, status } of http1Floods) {
  test(`an HTTP/1.1 upstream that floods with ${what} loses its connection`, async () => {
    http1.behave = (socket) => pour(socket, first, piece);
    const outcome = await arena.endures((port) => ask(port, "/http1"));
    assert.match(String(outcome.result.status), status);
    assert.ok(outcome.result.bytes < 256 * 1024, `${outcome.result.bytes} bytes reached the client`);
  });
}

test("an upstream whose answers are slow costs the others nothing", async () => {
  http1.behave = (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
  await arena.endures(async (port) => {
    const clients = await Promise.all(Array.from({ length: 50 }, () => connectRaw(port)));
    await Promise.all(clients.map((client) => client.send("GET /http1 HTTP/1.1\r\nhost: a\r\n\r\n")));
    await Promise.all(clients.map((client) => client.until("\r\n\r\n")));
    for (const client of clients) await client[Symbol.asyncDispose]();
  });
});
