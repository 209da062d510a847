import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type RawServer, startRawServer } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { Http2Attacker } from "../testing/http2-attacker.ts";
import { data, type Field, frame, frameType, headers, requestFields } from "../testing/http2-frames.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// HTTP/2 carries any octet in a field; HTTP/1.1 ends lines by two of them. What a client puts into a field must come out as one request with that very
// field, or not at all (RFC 9113 §8.2.1 and §10.3).

let upstream: RawServer;
let proxy: TestProxy;

before(async () => {
  upstream = await startRawServer();
  proxy = await TestProxy.start(
    bootstrap(
      [httpListener({ name: "web", routes: [route("/", "app", { timeout: "5s" })] })],
      [cluster("app", [upstream.port])],
    ),
  );
});
after(async () => {
  await proxy[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

/** Error code of a stream that the proxy reset, or what reached the upstream of the request. */
type Seen = { readonly reset: number } | { readonly forwarded: string };

/** Sends frames of stream 1 on a connection of its own. The connection must bear them, whatever becomes of the stream. */
async function send(...frames: readonly Buffer[]): Promise<Seen> {
  const before = upstream.connectionsAccepted;
  return Http2Attacker.attack(proxy.port("web"), async (client) => {
    await client.send(...frames);
    assert.ok(await client.isBorne(), `the connection ended: ${client.goAway?.debugData}`);
    const [reset] = client.on(1, frameType.rstStream);
    if (reset !== undefined) {
      assert.equal(upstream.connectionsAccepted, before, "nothing reached the upstream");
      return { reset: reset.payload.readUInt32BE(0) };
    }
    const peer = await upstream.next();
    try {
      // The answer closes the connection, so that whatever came behind the request has come before its end.
      await peer.until("\r\n\r\n").then((head) => (forwarded = head));
      await peer.send("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
      await client.until("the answer", () => client.hasEnded(1));
      peer.end();
      const rest = await peer.untilEnd();
      return { forwarded: forwarded + rest };
    } finally {
      await peer[Symbol.asyncDispose]();
    }
  });
}
let forwarded = "";

const withField = (name: string, value: string): Buffer => headers(1, [...requestFields("/"), [name, value]], true);
const protocolError = 1;
const hex = (octet: number): string => octet.toString(16).padStart(2, "0");
const octets = Array.from({ length: 256 }, (_, octet) => octet);

/** RFC 9110 §5.5: what may be in a value. */
const isValueOctet = (octet: number): boolean => octet === 0x09 || (octet >= 0x20 && octet !== 0x7f);
/** RFC 9113 §8.2.1 and RFC 9110 §5.6.2: a token in lower case. */
const isNameOctet = (octet: number): boolean => /[!#$%&'*+\-.^_`|~0-9a-z]/.test(String.fromCharCode(octet));

test("each octet within a field value is forwarded as it is, or its stream is reset", async () => {
  for (const octet of octets) {
    const value = `a${String.fromCharCode(octet)}b`;
    const seen = await send(withField("x-octet", value));
    if (!isValueOctet(octet)) assert.deepEqual(seen, { reset: protocolError }, hex(octet));
    else {
      assert.ok("forwarded" in seen, hex(octet));
      assert.ok(seen.forwarded.includes(`\r\nx-octet: ${value}\r\n`), hex(octet));
      assertOneRequest(seen.forwarded);
    }
  }
});

test("each octet within a field name is forwarded as it is, or its stream is reset", async () => {
  for (const octet of octets) {
    const name = `x${String.fromCharCode(octet)}y`;
    const seen = await send(withField(name, "1"));
    if (!isNameOctet(octet)) assert.deepEqual(seen, { reset: protocolError }, hex(octet));
    else {
      assert.ok("forwarded" in seen, hex(octet));
      assert.ok(seen.forwarded.includes(`\r\n${name}: 1\r\n`), hex(octet));
      assertOneRequest(seen.forwarded);
    }
  }
});

test("no octet in :method, :path, :authority or :scheme makes another request of it", async () => {
  for (const octet of octets) {
    const text = String.fromCharCode(octet);
    const [method, scheme, path, authority] = requestFields("/");
    assert.ok(method && scheme && path && authority);
    const table: readonly (readonly Field[])[] = [
      [[":method", `G${text}T`], scheme, path, authority],
      [method, [":scheme", `ht${text}tp`], path, authority],
      [method, scheme, [":path", `/a${text}b`], authority],
      [method, scheme, path, [":authority", `a${text}b`]],
    ];
    for (const fields of table) {
      const seen = await send(headers(1, fields, true));
      if ("forwarded" in seen) assertOneRequest(seen.forwarded);
      else assert.equal(seen.reset, protocolError, hex(octet));
      const isEnd = octet === 0 || octet === 0x0a || octet === 0x0d || octet === 0x20;
      if (isEnd) assert.ok("reset" in seen, `${hex(octet)} in ${JSON.stringify(fields)}`);
    }
  }
});

/** One request line, one Host, and nothing behind the empty line. */
function assertOneRequest(text: string): void {
  assert.match(text, /^[^\r\n ]+ [^\r\n ]+ HTTP\/1\.1\r\n([^\r\n:]+: [^\r\n]*\r\n)+\r\n$/);
  assert.equal(text.match(/^host: /gm)?.length, 1, text);
}

const smuggled = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
const post = requestFields("/", "POST");
const without = (name: string): Field[] => requestFields("/").filter(([other]) => other !== name);

const refused: readonly (readonly [what: string, frames: readonly Buffer[]])[] = [
  ["a whole request in a value", [withField("x", `1\r\n\r\n${smuggled}`)]],
  ["a field in a value", [withField("x", "1\r\ntransfer-encoding: chunked")]],
  ["a field in a value behind a bare line feed", [withField("x", "1\ntransfer-encoding: chunked")]],
  ["a field in a name", [withField("x: 1\r\ntransfer-encoding", "chunked")]],
  [
    "a request in :path",
    [headers(1, [...without(":path"), [":path", `/ HTTP/1.1\r\nhost: a\r\n\r\n${smuggled}`]], true)],
  ],
  [
    "a request in :method",
    [headers(1, [[":method", `GET / HTTP/1.1\r\nhost: a\r\n\r\nGET`], ...requestFields("/").slice(1)], true)],
  ],
  ["a field in :authority", [headers(1, [...without(":authority"), [":authority", "a\r\nx: 1"]], true)]],
  [
    "Transfer-Encoding: chunked",
    [headers(1, [...post, ["transfer-encoding", "chunked"]], false), data(1, `0\r\n\r\n${smuggled}`, true)],
  ],
  [
    "Transfer-Encoding in upper case",
    [headers(1, [...post, ["Transfer-Encoding", "chunked"]], false), data(1, "x", true)],
  ],
  ["Connection", [withField("connection", "x-other")]],
  ["Keep-Alive", [withField("keep-alive", "timeout=1")]],
  ["Proxy-Connection", [withField("proxy-connection", "keep-alive")]],
  ["Upgrade", [withField("upgrade", "websocket")]],
  ["TE other than trailers", [withField("te", "trailers, chunked")]],
  ["a Content-Length and no body", [headers(1, [...post, ["content-length", "5"]], true)]],
  [
    "two Content-Lengths",
    [headers(1, [...post, ["content-length", "4"], ["content-length", "5"]], false), data(1, "four", true)],
  ],
  ["a list in Content-Length", [headers(1, [...post, ["content-length", "4, 4"]], false), data(1, "four", true)]],
  ["a sign in Content-Length", [headers(1, [...post, ["content-length", "+4"]], false), data(1, "four", true)]],
  ["no :method", [headers(1, without(":method"), true)]],
  ["no :scheme", [headers(1, without(":scheme"), true)]],
  ["no :path", [headers(1, without(":path"), true)]],
  ["an empty :path", [headers(1, [...without(":path"), [":path", ""]], true)]],
  ["two :path", [headers(1, [...requestFields("/"), [":path", "/other"]], true)]],
  ["a pseudo-header field behind others", [headers(1, [...without(":path"), ["x", "1"], [":path", "/"]], true)]],
  ["an unknown pseudo-header field", [headers(1, [...requestFields("/"), [":other", "1"]], true)]],
  [":status in a request", [headers(1, [...requestFields("/"), [":status", "200"]], true)]],
  ["neither :authority nor Host", [headers(1, without(":authority"), true)]],
  ["Host other than :authority", [withField("host", "other")]],
  ["two Hosts", [headers(1, [...without(":authority"), ["host", "a"], ["host", "b"]], true)]],
  ["an upper-case name", [withField("X-Upper", "1")]],
];

for (const [what, frames] of refused) {
  test(`a request with ${what} is reset as a protocol error, and its connection goes on`, async () => {
    assert.deepEqual(await send(...frames), { reset: protocolError });
  });
}

const trailers = (fields: readonly Field[]): Buffer =>
  frame(frameType.headers, 0x5, 1, headers(1, fields, true).subarray(9));

/** What ends a request that has begun to be forwarded: it must not become a whole one. */
const endings: readonly (readonly [what: string, ending: Buffer, fields?: readonly Field[]])[] = [
  ["trailers with a pseudo-header field", trailers([[":path", "/other"]])],
  ["trailers with a line end", trailers([["x", "1\r\ny: 2"]])],
  ["trailers with NUL in a name", trailers([["x\0", "1"]])],
  ["trailers with an upper-case name", trailers([["X-Upper", "1"]])],
  ["trailers with Transfer-Encoding", trailers([["transfer-encoding", "chunked"]])],
  ["less than its Content-Length", data(1, "", true), [["content-length", "10"]]],
  ["more than its Content-Length", data(1, "123456789", true), [["content-length", "10"]]],
];

for (const [what, ending, fields = []] of endings) {
  test(`a request that ends with ${what} stays unfinished`, async () => {
    await Http2Attacker.attack(proxy.port("web"), async (client) => {
      await client.send(headers(1, [...post, ...fields], false), data(1, "body"));
      const peer = await upstream.next();
      try {
        await peer.until("body");
        if (fields.length === 0) await peer.until("\r\n");
        await client.send(ending);
        await client.until("the reset", () => client.hasEnded(1));
        assert.equal(client.on(1, frameType.rstStream)[0]?.payload.readUInt32BE(0), protocolError);
        // Neither a last chunk nor the rest of its length: no upstream can take it for a request.
        assert.equal(await peer.untilEnd(), "");
        assert.ok(await client.isBorne(), "the connection goes on");
      } finally {
        await peer[Symbol.asyncDispose]();
      }
    });
  });
}

test("TE: trailers and a Host that says what :authority says are no fault", async () => {
  const fields: Field[] = [...requestFields("/"), ["te", "trailers"], ["host", "ATTACKED"]];
  const seen = await send(headers(1, fields, true));
  assert.ok("forwarded" in seen);
  assertOneRequest(seen.forwarded);
});
