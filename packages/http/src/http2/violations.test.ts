import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fields } from "../testing/hpack.ts";
import {
  data,
  fields,
  frame,
  get,
  headers,
  hello,
  post,
  Recorded,
  rstStream,
  settings,
  uint32,
  windowUpdate,
} from "../testing/http2-frames.ts";
import { clientPreface, FrameType } from "./frame.ts";

const { headers: HEADERS, continuation, priority, ping, goAway, pushPromise } = FrameType;

/** What breaks the connection: input behind the client's first SETTINGS, the rule, and the code of GOAWAY. */
const connectionErrors: [what: string, input: Buffer[], rule: string, code: number][] = [
  ["a frame above 16384 bytes", [data(1, "x".repeat(16385))], "frameTooLarge", 6],
  ["DATA on stream 0", [data(0, "x")], "badStreamId", 1],
  ["HEADERS on stream 0", [headers(0, get, true)], "badStreamId", 1],
  ["PRIORITY on stream 0", [frame(priority, 0, 0, "12345")], "badStreamId", 1],
  ["RST_STREAM on stream 0", [rstStream(0, 8)], "badStreamId", 1],
  ["SETTINGS on a stream", [frame(FrameType.settings, 0, 1)], "badStreamId", 1],
  ["PING on a stream", [frame(ping, 0, 1, "12345678")], "badStreamId", 1],
  ["GOAWAY on a stream", [frame(goAway, 0, 1, "12345678")], "badStreamId", 1],
  ["DATA on an idle stream", [data(1, "x")], "idleStream", 1],
  ["RST_STREAM on an idle stream", [rstStream(1, 8)], "idleStream", 1],
  ["WINDOW_UPDATE on an idle stream", [windowUpdate(1, 1)], "idleStream", 1],
  ["a request on an even stream", [headers(2, get, true)], "badStreamId", 1],
  ["a stream identifier below the last", [headers(5, get, false), headers(3, get, true)], "streamIdNotRising", 1],
  ["DATA behind RST_STREAM", [headers(1, get, false), rstStream(1, 8), data(1, "x")], "closedStream", 5],
  ["RST_STREAM of three bytes", [headers(1, get, false), frame(3, 0, 1, "abc")], "badFrameSize", 6],
  ["SETTINGS of five bytes", [frame(4, 0, 0, "12345")], "badFrameSize", 6],
  ["SETTINGS ACK with a payload", [frame(4, 1, 0, "123456")], "badFrameSize", 6],
  ["a second SETTINGS ACK", [frame(4, 1, 0), frame(4, 1, 0)], "unexpectedSettingsAck", 1],
  ["PING of seven bytes", [frame(ping, 0, 0, "1234567")], "badFrameSize", 6],
  ["GOAWAY of seven bytes", [frame(goAway, 0, 0, "1234567")], "badFrameSize", 6],
  ["WINDOW_UPDATE of five bytes", [frame(8, 0, 0, "12345")], "badFrameSize", 6],
  ["ENABLE_PUSH of 2", [settings([2, 2])], "badSetting", 1],
  ["INITIAL_WINDOW_SIZE above 2^31-1", [settings([4, 2 ** 31])], "badInitialWindow", 3],
  ["MAX_FRAME_SIZE below 16384", [settings([5, 16383])], "badSetting", 1],
  ["MAX_FRAME_SIZE above 2^24-1", [settings([5, 2 ** 24])], "badSetting", 1],
  ["ENABLE_CONNECT_PROTOCOL taken back", [settings([8, 1]), settings([8, 0])], "badSetting", 1],
  ["a connection window by nothing", [windowUpdate(0, 0)], "zeroIncrement", 1],
  ["a connection window above 2^31-1", [windowUpdate(0, 2 ** 31 - 1)], "windowOverflow", 3],
  [
    "an initial window that lifts a stream's above 2^31-1",
    [headers(1, get, false), windowUpdate(1, 2 ** 31 - 1 - 65535), settings([4, 65536])],
    "windowOverflow",
    3,
  ],
  ["padding as long as DATA", [headers(1, post, false), frame(0, 8, 1, "\x03ab")], "badPadding", 1],
  ["padding longer than HEADERS", [frame(HEADERS, 0xc, 1, "\x02a")], "badPadding", 1],
  ["HEADERS without room for its priority", [frame(HEADERS, 0x24, 1, "1234")], "badFrameSize", 6],
  ["PUSH_PROMISE", [frame(pushPromise, 4, 1, "1234")], "pushPromise", 1],
  ["CONTINUATION alone", [frame(continuation, 4, 1, "\x82")], "continuationUnexpected", 1],
  [
    "another frame within a header block",
    [frame(HEADERS, 0, 1, "\x82"), frame(ping, 0, 0, "12345678")],
    "continuationExpected",
    1,
  ],
  [
    "CONTINUATION on another stream",
    [frame(HEADERS, 0, 1, "\x82"), frame(continuation, 4, 3, "")],
    "continuationExpected",
    1,
  ],
  [
    "an unknown frame within a header block",
    [frame(HEADERS, 0, 1, "\x82"), frame(0x42, 0, 0, "")],
    "continuationExpected",
    1,
  ],
  ["a header block that cannot be decoded", [frame(HEADERS, 5, 1, "\x80")], "compression", 9],
  [
    "a bad header block on a stream that has ended",
    [headers(1, get, false), headers(3, get, false), frame(HEADERS, 5, 1, "\x80")],
    "compression",
    9,
  ],
  [
    "PRIORITY of four bytes on a stream that has ended",
    [headers(1, get, false), rstStream(1, 8), frame(priority, 0, 1, "1234")],
    "badFrameSize",
    6,
  ],
  [
    "PRIORITY of an idle stream on itself",
    [frame(priority, 0, 3, Buffer.concat([uint32(3), Buffer.from([1])]))],
    "selfDependency",
    1,
  ],
];

for (const [what, input, rule, code] of connectionErrors) {
  test(`${what} ends the connection with ${rule}`, () => {
    const server = new Recorded("server").push(hello);
    server.frames();
    for (const bytes of input) server.push(bytes);
    assert.equal(server.events.at(-1), `error 0 ${code} ${rule}`);
    const last = server.frames().at(-1) ?? "";
    assert.match(last, new RegExp(`^goAway 0 0 [0-9a-f]{8}0000000${code.toString(16)}`));
    const { length } = server.events;
    server.push(headers(9, get, true));
    assert.equal(server.events.length, length, "nothing follows");
    assert.ok(!server.connection.hasOutput);
  });
}

for (const [what, input, rule] of [
  ["HTTP/1.1", Buffer.from("GET / HTTP/1.1\r\n\r\n"), "badPreface"],
  [
    "a preface with another frame than SETTINGS behind it",
    Buffer.concat([clientPreface, frame(ping, 0, 0, "12345678")]),
    "settingsFirst",
  ],
  ["a preface with SETTINGS ACK behind it", Buffer.concat([clientPreface, frame(4, 1, 0)]), "settingsFirst"],
] as const) {
  test(`${what} ends the connection with ${rule}`, () => {
    assert.deepEqual(new Recorded("server").push(input).events, [`error 0 1 ${rule}`]);
  });
}

const without = (name: string): Fields => get.filter(([other]) => other !== name);
const withField = (name: string, value: string): Fields => [...get, [name, value]];
const selfDependent = (flags: number): Buffer =>
  frame(HEADERS, flags | 0x24, 1, Buffer.concat([uint32(1), Buffer.from([1]), headers(1, get, true).subarray(9)]));

/** What breaks one stream before its owner has heard of it: fields of stream 1, or frames. */
const malformedRequests: [what: string, fields: Fields | Buffer[], code?: number][] = [
  ["no :method", without(":method")],
  ["no :scheme", without(":scheme")],
  ["no :path", without(":path")],
  ["an empty :path", [...without(":path"), [":path", ""]]],
  ["a :path without a slash", [...without(":path"), [":path", "a"]]],
  [":path * for GET", [...without(":path"), [":path", "*"]]],
  ["a space in :path", [...without(":path"), [":path", "/a b"]]],
  ["neither :authority nor Host", without(":authority")],
  ["user information in :authority", [...without(":authority"), [":authority", "u@a"]]],
  ["Host and :authority that differ", withField("host", "b")],
  ["two Host fields", [...without(":authority"), ["host", "a"], ["host", "a"]]],
  ["a scheme of another kind", [...without(":scheme"), [":scheme", "ftp"]]],
  ["a method that is no token", [[":method", "GE T"], ...without(":method")]],
  ["a repeated pseudo-header field", [[":path", "/"], ...get]],
  ["an unknown pseudo-header field", [[":test", "1"], ...get]],
  [":status in a request", [[":status", "200"], ...get]],
  ["a pseudo-header field behind another field", [["a", "b"], ...get]],
  ["an upper-case field name", withField("X-Test", "1")],
  ["an empty field name", withField("", "1")],
  ["a space in a field name", withField("a b", "1")],
  ["a colon in a field name", withField("a:b", "1")],
  ["NUL in a field name", withField("a\0b", "1")],
  ["NUL in a field value", withField("a", "b\0c")],
  ["CR in a field value", withField("a", "b\rc")],
  ["LF in a field value", withField("a", "b\nc")],
  ["a leading space in a field value", withField("a", " b")],
  ["a trailing tab in a field value", withField("a", "b\t")],
  ["Connection", withField("connection", "close")],
  ["Keep-Alive", withField("keep-alive", "1")],
  ["Proxy-Connection", withField("proxy-connection", "1")],
  ["Transfer-Encoding", withField("transfer-encoding", "chunked")],
  ["Upgrade", withField("upgrade", "h2c")],
  ["TE besides trailers", withField("te", "gzip")],
  ["two Content-Length", [...withField("content-length", "0"), ["content-length", "0"]]],
  ["a Content-Length that is no number", withField("content-length", "+1")],
  ["a Content-Length and no body", withField("content-length", "1")],
  [
    "CONNECT with :path",
    [
      [":method", "CONNECT"],
      [":path", "/"],
      [":authority", "a:1"],
    ],
  ],
  ["CONNECT without :authority", [[":method", "CONNECT"]]],
  [":protocol that was not allowed", [[":method", "CONNECT"], [":protocol", "websocket"], ...get.slice(1)]],
  ["a stream that depends on itself", [selfDependent(1)]],
];

for (const [what, input] of malformedRequests) {
  test(`a request with ${what} is reset, and its owner hears nothing`, () => {
    const server = new Recorded("server").push(hello);
    server.frames();
    const frames = input[0] instanceof Buffer ? (input as Buffer[]) : [headers(1, input as Fields, true)];
    for (const bytes of frames) server.push(bytes);
    assert.deepEqual(server.frames(), ["rstStream 0 1 00000001"]);
    server.push(headers(3, get, true));
    assert.deepEqual(server.events.slice(1), ["request 3 GET http a /  [] true"]);
  });
}

/** What breaks a stream that has begun. */
const streamErrors: [what: string, input: Buffer[], rule: string, code: number][] = [
  ["DATA behind END_STREAM", [headers(1, get, true), data(1, "x")], "closedStream", 5],
  ["HEADERS behind END_STREAM", [headers(1, get, true), headers(1, [["a", "b"]], true)], "closedStream", 5],
  [
    "trailers without END_STREAM",
    [headers(1, post, false), headers(1, [["a", "b"]], false)],
    "unexpectedMessagePart",
    1,
  ],
  [
    "trailers with a pseudo-header field",
    [headers(1, post, false), headers(1, [[":path", "/"]], true)],
    "badPseudoHeader",
    1,
  ],
  ["a stream window by nothing", [headers(1, post, false), windowUpdate(1, 0)], "zeroIncrement", 1],
  ["a stream window above 2^31-1", [headers(1, post, false), windowUpdate(1, 2 ** 31 - 1)], "windowOverflow", 3],
  ["PRIORITY of four bytes", [headers(1, post, false), frame(priority, 0, 1, "1234")], "badFrameSize", 6],
  [
    "more data than Content-Length",
    [headers(1, [...post, ["content-length", "1"]], false), data(1, "xy")],
    "contentLengthMismatch",
    1,
  ],
  [
    "less data than Content-Length",
    [headers(1, [...post, ["content-length", "2"]], false), data(1, "x", true)],
    "contentLengthMismatch",
    1,
  ],
  [
    "less data than Content-Length before trailers",
    [headers(1, [...post, ["content-length", "2"]], false), headers(1, [["a", "b"]], true)],
    "contentLengthMismatch",
    1,
  ],
];

for (const [what, input, rule, code] of streamErrors) {
  test(`${what} resets the stream with ${rule}`, () => {
    const server = new Recorded("server").push(hello);
    server.frames();
    for (const bytes of input) server.push(bytes);
    assert.equal(server.events.at(-1), `reset 1 ${code} ${rule}`);
    assert.deepEqual(server.frames(), [`rstStream 0 1 0000000${code}`]);
    // What was on its way is harmless, and the tables go on.
    server
      .push(data(1, "late"))
      .push(headers(1, [["late", "1"]], true))
      .push(headers(3, get, true));
    assert.match(server.events.at(-1) ?? "", /^request 3 /);
  });
}

const toClient: [what: string, input: Buffer[], event: string][] = [
  ["DATA before the head", [data(1, "x")], "reset 1 1 unexpectedMessagePart"],
  ["a response without :status", [headers(1, [["a", "b"]], true)], "reset 1 1 missingPseudoHeader"],
  ["status 101", [headers(1, [[":status", "101"]], false)], "reset 1 1 badStatus"],
  ["a status of two digits", [headers(1, [[":status", "20"]], false)], "reset 1 1 badStatus"],
  [
    "a request's pseudo-header field in a response",
    [
      headers(
        1,
        [
          [":status", "200"],
          [":path", "/"],
        ],
        true,
      ),
    ],
    "reset 1 1 badPseudoHeader",
  ],
  ["1xx with END_STREAM", [headers(1, [[":status", "103"]], true)], "reset 1 1 unexpectedMessagePart"],
  ["a body for HEAD", [headers(1, [[":status", "200"]], false), data(1, "x")], "reset 1 1 contentLengthMismatch"],
  ["a response on a stream that nobody opened", [headers(3, [[":status", "200"]], true)], "error 0 1 idleStream"],
  ["a stream of the server", [headers(2, [[":status", "200"]], true)], "error 0 1 idleStream"],
  ["push that was not allowed", [settings([2, 1])], "error 0 1 badSetting"],
];

for (const [what, input, event] of toClient) {
  test(`${what} is refused by a client`, () => {
    const client = new Recorded("client").push(settings());
    const request = { method: "HEAD", scheme: "http", authority: "a", path: "/", headers: fields() };
    assert.equal(client.connection.openStream(request, true), 1);
    for (const bytes of input) client.push(bytes);
    assert.equal(client.events.at(-1), event);
  });
}
