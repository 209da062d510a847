import { data, type Field, frame, frameType, headers, requestFields } from "./http2-frames.ts";

/**
 * One way to make two readers disagree on how many requests there are. `at` is the path of the request that a client seems to send, `hidden` a whole
 * request that only some readers would see.
 */
export interface GridCase {
  readonly what: string;
  readonly bytes: (at: string, hidden: string) => Buffer;
}

const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");

/** Lines that say a length of `n` octets, or seem to. */
const contentLengths: readonly (readonly [what: string, lines: (n: number) => string])[] = [
  ["CL", (n) => `Content-Length: ${n}\r\n`],
  ["CL with zeros", (n) => `Content-Length: 000${n}\r\n`],
  ["CL with plus", (n) => `Content-Length: +${n}\r\n`],
  ["CL with minus", (n) => `Content-Length: -${n}\r\n`],
  ["CL in hex", (n) => `Content-Length: 0x${n.toString(16)}\r\n`],
  ["CL with fraction", (n) => `Content-Length: ${n}.0\r\n`],
  ["CL with exponent", (n) => `Content-Length: ${n}e0\r\n`],
  ["CL with underscore", (n) => `Content-Length: 0_${n}\r\n`],
  ["CL twice", (n) => `Content-Length: ${n}\r\nContent-Length: ${n}\r\n`],
  ["CL 0 and CL", (n) => `Content-Length: 0\r\nContent-Length: ${n}\r\n`],
  ["CL and CL 0", (n) => `Content-Length: ${n}\r\nContent-Length: 0\r\n`],
  ["CL as list", (n) => `Content-Length: ${n}, ${n}\r\n`],
  ["CL as list of two", (n) => `Content-Length: 0, ${n}\r\n`],
  ["CL of two numbers", (n) => `Content-Length: ${n} 0\r\n`],
  ["CL empty", () => "Content-Length:\r\n"],
  ["CL empty and CL", (n) => `Content-Length:\r\nContent-Length: ${n}\r\n`],
  ["CL beyond 64 bits", (n) => `Content-Length: ${18_446_744_073_709_551_616n + BigInt(n)}\r\n`],
  ["CL in words", () => "Content-Length: five\r\n"],
  ["CL with semicolon", (n) => `Content-Length: ${n};\r\n`],
  ["CL in quotes", (n) => `Content-Length: "${n}"\r\n`],
  ["CL in upper case", (n) => `CONTENT-LENGTH: ${n}\r\n`],
  ["CL without space", (n) => `Content-Length:${n}\r\n`],
  ["CL with tabs", (n) => `Content-Length:\t${n}\t\r\n`],
  ["CL with vertical tab", (n) => `Content-Length: \x0b${n}\r\n`],
  ["CL with NUL", (n) => `Content-Length: ${n}\0\r\n`],
  ["CL, space before colon", (n) => `Content-Length : ${n}\r\n`],
  ["CL, tab before colon", (n) => `Content-Length\t: ${n}\r\n`],
  ["CL, leading space", (n) => `X: y\r\n Content-Length: ${n}\r\n`],
  ["CL folded", (n) => `Content-Length:\r\n ${n}\r\n`],
  ["CL behind bare LF", (n) => `X: y\nContent-Length: ${n}\r\n`],
  ["CL behind bare CR", (n) => `X: y\rContent-Length: ${n}\r\n`],
  ["CL with underscore in name", (n) => `Content_Length: ${n}\r\n`],
  ["CL named by Connection", (n) => `Connection: content-length\r\nContent-Length: ${n}\r\n`],
];

const transferEncodings: readonly (readonly [what: string, lines: string])[] = [
  ["TE", "Transfer-Encoding: chunked\r\n"],
  ["TE in upper case", "TRANSFER-ENCODING: CHUNKED\r\n"],
  ["TE mixed case", "Transfer-Encoding: cHuNkEd\r\n"],
  ["TE twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"],
  ["TE list of two", "Transfer-Encoding: chunked, chunked\r\n"],
  ["TE identity", "Transfer-Encoding: identity\r\n"],
  ["TE identity, chunked", "Transfer-Encoding: identity, chunked\r\n"],
  ["TE chunked, identity", "Transfer-Encoding: chunked, identity\r\n"],
  ["TE chunked and identity", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"],
  ["TE gzip, chunked", "Transfer-Encoding: gzip, chunked\r\n"],
  ["TE unknown", "Transfer-Encoding: cow\r\n"],
  ["TE unknown and chunked", "Transfer-Encoding: cow\r\nTransfer-Encoding: chunked\r\n"],
  ["TE xchunked", "Transfer-Encoding: xchunked\r\n"],
  ["TE chunkedx", "Transfer-Encoding: chunkedx\r\n"],
  ["TE chunked;q=1", "Transfer-Encoding: chunked;q=1\r\n"],
  ["TE in quotes", 'Transfer-Encoding: "chunked"\r\n'],
  ["TE with comma before", "Transfer-Encoding: ,chunked\r\n"],
  ["TE with comma behind", "Transfer-Encoding: chunked,\r\n"],
  ["TE without space", "Transfer-Encoding:chunked\r\n"],
  ["TE with tabs", "Transfer-Encoding:\tchunked\t\r\n"],
  ["TE with vertical tab", "Transfer-Encoding: \x0bchunked\r\n"],
  ["TE with vertical tab behind", "Transfer-Encoding: chunked\x0b\r\n"],
  ["TE with form feed", "Transfer-Encoding: \x0cchunked\r\n"],
  ["TE with NUL", "Transfer-Encoding: chunked\0\r\n"],
  ["TE with NBSP", "Transfer-Encoding: \xa0chunked\r\n"],
  ["TE with a byte of 0xff", "Transfer-Encoding: chunked\xff\r\n"],
  ["TE, space before colon", "Transfer-Encoding : chunked\r\n"],
  ["TE, tab before colon", "Transfer-Encoding\t: chunked\r\n"],
  ["TE, CR before colon", "Transfer-Encoding\r: chunked\r\n"],
  ["TE, line end before colon", "Transfer-Encoding\r\n: chunked\r\n"],
  ["TE, leading space", "X: y\r\n Transfer-Encoding: chunked\r\n"],
  ["TE folded", "Transfer-Encoding:\r\n chunked\r\n"],
  ["TE folded within", "Transfer-Encoding: chu\r\n nked\r\n"],
  ["TE behind bare LF", "X: y\nTransfer-Encoding: chunked\r\n"],
  ["TE behind bare CR", "X: y\rTransfer-Encoding: chunked\r\n"],
  ["TE behind NUL", "X: y\0\r\nTransfer-Encoding: chunked\r\n"],
  ["TE behind a line without colon", "X\r\nTransfer-Encoding: chunked\r\n"],
  ["TE behind an empty name", ": y\r\nTransfer-Encoding: chunked\r\n"],
  ["TE with underscore in name", "Transfer_Encoding: chunked\r\n"],
  ["TE with a letter too many", "Transfer-Encodings: chunked\r\n"],
  ["TE with a Kelvin sign", "Transfer-Encoding: chun\u212aed\r\n"],
  ["TE empty", "Transfer-Encoding:\r\n"],
  ["TE empty and TE", "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n"],
  ["TE named by Connection", "Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n"],
  ["the field TE", "TE: chunked\r\n"],
];

const chunked = "5\r\nhello\r\n0\r\n\r\n";

function framing(): GridCase[] {
  const made: GridCase[] = [];
  const add = (what: string, fields: (body: string) => string, body: string, method = "POST"): void => {
    made.push({
      what,
      bytes: (at, hidden) => latin1(`${method} ${at} HTTP/1.1\r\nHost: a\r\n${fields(body)}\r\n${body}${hidden}`),
    });
    // The hidden request as the body itself, which one reader takes for it and another for a request.
    made.push({
      what: `${what}, hidden in the body`,
      bytes: (at, hidden) => latin1(`${method} ${at} HTTP/1.1\r\nHost: a\r\n${fields(hidden)}\r\n${hidden}`),
    });
  };
  for (const [what, lines] of contentLengths) add(what, (body) => lines(body.length), "hello");
  for (const [what, lines] of transferEncodings) add(what, () => lines, chunked);
  for (const [what, te] of transferEncodings) {
    for (const [name, cl] of contentLengths.slice(0, 1).concat(contentLengths.slice(8, 10))) {
      add(`${name} and ${what}`, (body) => cl(body.length) + te, chunked);
      add(`${what} and ${name}`, (body) => te + cl(body.length), chunked);
      // As long as the first line of the chunks: whoever believes the length finds the rest to be a request.
      add(`${what} and a short ${name}`, () => te + cl(3), chunked);
    }
  }
  for (const method of ["GET", "HEAD", "OPTIONS", "TRACE", "DELETE", "CONNECT", "PROPFIND", "get"]) {
    add(`${method} with a body by length`, (body) => `Content-Length: ${body.length}\r\n`, "hello", method);
    add(`${method} with a body in chunks`, () => "Transfer-Encoding: chunked\r\n", chunked, method);
    made.push({
      what: `${method} with the hidden request behind it`,
      bytes: (at, hidden) => latin1(`${method} ${at} HTTP/1.1\r\nHost: a\r\n\r\n${hidden}`),
    });
  }
  return made;
}

/** Bodies in chunks that not everybody reads alike; the hidden request comes behind. */
const chunks: readonly (readonly [what: string, body: string])[] = [
  ["size with zero", "05\r\nhello\r\n0\r\n\r\n"],
  ["size with many zeros", "00000000000000000005\r\nhello\r\n0\r\n\r\n"],
  ["size 0x5", "0x5\r\nhello\r\n0\r\n\r\n"],
  ["size +5", "+5\r\nhello\r\n0\r\n\r\n"],
  ["size -5", "-5\r\nhello\r\n0\r\n\r\n"],
  ["size 5 with space behind", "5 \r\nhello\r\n0\r\n\r\n"],
  ["size 5 with space before", " 5\r\nhello\r\n0\r\n\r\n"],
  ["size 5 with tab", "5\t\r\nhello\r\n0\r\n\r\n"],
  ["size 5 with NUL", "5\0\r\nhello\r\n0\r\n\r\n"],
  ["size 5_", "5_\r\nhello\r\n0\r\n\r\n"],
  ["size beyond 64 bits", "10000000000000005\r\nhello\r\n0\r\n\r\n"],
  ["size beyond 32 bits", "100000005\r\nhello\r\n0\r\n\r\n"],
  ["empty size", "\r\nhello\r\n0\r\n\r\n"],
  ["size g", "g\r\nhello\r\n0\r\n\r\n"],
  ["an extension", "5;x\r\nhello\r\n0\r\n\r\n"],
  ["an extension with a value", "5;x=y\r\nhello\r\n0\r\n\r\n"],
  ["an extension with a quoted value", '5;x="y"\r\nhello\r\n0\r\n\r\n'],
  ["an extension with a quoted line end", '5;x="\r\n"\r\nhello\r\n0\r\n\r\n'],
  ["an extension with a bare LF", "5;x\nhello\r\n0\r\n\r\n"],
  ["an extension with a bare LF in it", "5;x\ny\r\nhello\r\n0\r\n\r\n"],
  ["an extension with a bare CR", "5;x\ry\r\nhello\r\n0\r\n\r\n"],
  ["an extension with NUL", "5;x\0\r\nhello\r\n0\r\n\r\n"],
  ["an extension without a name", "5;\r\nhello\r\n0\r\n\r\n"],
  ["an extension behind a space", "5 ;x\r\nhello\r\n0\r\n\r\n"],
  ["a size line that ends in LF", "5\nhello\r\n0\r\n\r\n"],
  ["a size line that ends in CR", "5\rhello\r\n0\r\n\r\n"],
  ["a size line that ends in CR CR LF", "5\r\r\nhello\r\n0\r\n\r\n"],
  ["data that end in LF", "5\r\nhello\n0\r\n\r\n"],
  ["data that end in CR", "5\r\nhello\r0\r\n\r\n"],
  ["data without an end", "5\r\nhello0\r\n\r\n"],
  ["data with two bytes too many", "5\r\nhelloxx0\r\n\r\n"],
  ["data that are longer", "5\r\nhello world\r\n0\r\n\r\n"],
  ["data that are shorter", "5\r\nhell\r\n0\r\n\r\n"],
  ["last chunk 00", "5\r\nhello\r\n00\r\n\r\n"],
  ["last chunk 0 with a space", "5\r\nhello\r\n0 \r\n\r\n"],
  ["last chunk with an extension", "5\r\nhello\r\n0;x\r\n\r\n"],
  ["last chunk that ends in LF", "5\r\nhello\r\n0\n\n"],
  ["last chunk with one line end", "5\r\nhello\r\n0\r\n"],
  ["last chunk with LF behind", "5\r\nhello\r\n0\r\n\n"],
  ["a trailer", "5\r\nhello\r\n0\r\nX: y\r\n\r\n"],
  ["a trailer Content-Length", "5\r\nhello\r\n0\r\nContent-Length: 1000\r\n\r\n"],
  ["a trailer Transfer-Encoding", "5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["a trailer Host", "5\r\nhello\r\n0\r\nHost: b\r\n\r\n"],
  ["a trailer that ends in LF", "5\r\nhello\r\n0\r\nX: y\n\r\n"],
  ["a folded trailer", "5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n"],
  ["a trailer without a colon", "5\r\nhello\r\n0\r\nX\r\n\r\n"],
  ["a trailer with a space before its colon", "5\r\nhello\r\n0\r\nX : y\r\n\r\n"],
  ["no chunk but the last", "0\r\n\r\n"],
];

/** Heads that not everybody reads alike: what stands between method and the empty line. */
const heads: readonly (readonly [what: string, head: (at: string) => string])[] = [
  ["lines that end in LF", (at) => `GET ${at} HTTP/1.1\nHost: a\n\n`],
  ["a request line that ends in LF", (at) => `GET ${at} HTTP/1.1\nHost: a\r\n\r\n`],
  ["a head that ends in LF LF", (at) => `GET ${at} HTTP/1.1\r\nHost: a\n\n`],
  ["a head that ends in CR LF LF", (at) => `GET ${at} HTTP/1.1\r\nHost: a\r\n\n`],
  ["a head that ends in CR CR LF", (at) => `GET ${at} HTTP/1.1\r\nHost: a\r\n\r\r\n`],
  ["lines that end in CR", (at) => `GET ${at} HTTP/1.1\rHost: a\r\r`],
  ["empty lines before it", (at) => `\r\n\r\n\r\nGET ${at} HTTP/1.1\r\nHost: a\r\n\r\n`],
  ["LF before it", (at) => `\nGET ${at} HTTP/1.1\r\nHost: a\r\n\r\n`],
  ["a space before it", (at) => ` GET ${at} HTTP/1.1\r\nHost: a\r\n\r\n`],
  ["NUL before it", (at) => `\0GET ${at} HTTP/1.1\r\nHost: a\r\n\r\n`],
  ["two spaces in the request line", (at) => `GET  ${at}  HTTP/1.1\r\nHost: a\r\n\r\n`],
  ["tabs in the request line", (at) => `GET\t${at}\tHTTP/1.1\r\nHost: a\r\n\r\n`],
  ["a space behind the version", (at) => `GET ${at} HTTP/1.1 \r\nHost: a\r\n\r\n`],
  ["a CR in the request line", (at) => `GET ${at}\r HTTP/1.1\r\nHost: a\r\n\r\n`],
  ["a target with a space", (at) => `GET ${at} x HTTP/1.1\r\nHost: a\r\n\r\n`],
  ["a target with a request", (at) => `GET ${at}\r\nHost: a\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n`],
  ["no version", (at) => `GET ${at}\r\n`],
  ["no version and fields", (at) => `GET ${at}\r\nHost: a\r\n\r\n`],
  ["version 0.9", (at) => `GET ${at} HTTP/0.9\r\nHost: a\r\n\r\n`],
  ["version 1.0", (at) => `GET ${at} HTTP/1.0\r\nHost: a\r\n\r\n`],
  ["version 1.0 that stays", (at) => `GET ${at} HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n`],
  ["version 1.2", (at) => `GET ${at} HTTP/1.2\r\nHost: a\r\n\r\n`],
  ["version 2.0", (at) => `GET ${at} HTTP/2.0\r\nHost: a\r\n\r\n`],
  ["version 1.10", (at) => `GET ${at} HTTP/1.10\r\nHost: a\r\n\r\n`],
  ["version 01.1", (at) => `GET ${at} HTTP/01.1\r\nHost: a\r\n\r\n`],
  ["version in lower case", (at) => `GET ${at} http/1.1\r\nHost: a\r\n\r\n`],
  ["another protocol", (at) => `GET ${at} ICAP/1.0\r\nHost: a\r\n\r\n`],
  ["a method with a space", (at) => `GE T ${at} HTTP/1.1\r\nHost: a\r\n\r\n`],
  ["a method with a colon", (at) => `GET: ${at} HTTP/1.1\r\nHost: a\r\n\r\n`],
  ["no Host", (at) => `GET ${at} HTTP/1.1\r\nX: y\r\n\r\n`],
  ["two Hosts", (at) => `GET ${at} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`],
  ["a Host with a path", (at) => `GET ${at} HTTP/1.1\r\nHost: a/b\r\n\r\n`],
  ["a Host with a space", (at) => `GET ${at} HTTP/1.1\r\nHost: a b\r\n\r\n`],
  ["absolute form with another Host", (at) => `GET http://b${at} HTTP/1.1\r\nHost: a\r\n\r\n`],
  ["a fold before the first field", (at) => `GET ${at} HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n`],
  ["a folded field", (at) => `GET ${at} HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n`],
  ["a fold of nothing", (at) => `GET ${at} HTTP/1.1\r\nHost: a\r\nX: y\r\n \r\n\r\n`],
  ["a fold that looks like an end", (at) => `GET ${at} HTTP/1.1\r\nHost: a\r\nX: y\r\n \r\nContent-Length: 5\r\n\r\n`],
  ["a line without a colon", (at) => `GET ${at} HTTP/1.1\r\nHost: a\r\nX\r\n\r\n`],
  ["a field without a name", (at) => `GET ${at} HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n`],
  ["a field with a space in its name", (at) => `GET ${at} HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n`],
  ["a field with a quoted line end", (at) => `GET ${at} HTTP/1.1\r\nHost: a\r\nX: "\r\nContent-Length: 5"\r\n\r\n`],
  ["a field with CR", (at) => `GET ${at} HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n`],
  ["a field with LF", (at) => `GET ${at} HTTP/1.1\r\nHost: a\r\nX: y\nContent-Length: 5\r\n\r\n`],
  ["a field with NUL", (at) => `GET ${at} HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n`],
  ["a field with NEL", (at) => `GET ${at} HTTP/1.1\r\nHost: a\r\nX: y\x85Content-Length: 5\r\n\r\n`],
  ["a field with the line separator", (at) => `GET ${at} HTTP/1.1\r\nHost: a\r\nX: y\xe2\x80\xa8z\r\n\r\n`],
  ["Connection: close", (at) => `GET ${at} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`],
  ["Connection: keep-alive, close", (at) => `GET ${at} HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n`],
  ["Connection that names Host", (at) => `GET ${at} HTTP/1.1\r\nHost: a\r\nConnection: host\r\n\r\n`],
  [
    "an offer of h2c",
    (at) =>
      `GET ${at} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n`,
  ],
  [
    "an Upgrade to WebSocket",
    (at) =>
      `GET ${at} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  ],
  [
    "an Upgrade with a body",
    (at) =>
      `POST ${at} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello`,
  ],
  [
    "Expect with a body that does not wait",
    (at) => `POST ${at} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello`,
  ],
  ["Expect without a body", (at) => `GET ${at} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n`],
  ["Expect of something else", (at) => `POST ${at} HTTP/1.1\r\nHost: a\r\nExpect: x\r\nContent-Length: 5\r\n\r\nhello`],
  [
    "Expect twice",
    (at) =>
      `POST ${at} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello`,
  ],
  [
    "HTTP/1.0 in chunks",
    (at) => `POST ${at} HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n${chunked}`,
  ],
  [
    "HTTP/1.0 by length",
    (at) => `POST ${at} HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello`,
  ],
  [
    "two pipelined requests",
    (at) =>
      `GET ${at} HTTP/1.1\r\nHost: a\r\n\r\nPOST ${at}?second HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello`,
  ],
  ["ten pipelined requests", (at) => `GET ${at} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(10)],
  [
    "a body and line ends behind it",
    (at) => `POST ${at} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\r\n\r\n`,
  ],
  [
    "X-HTTP-Method-Override",
    (at) => `POST ${at} HTTP/1.1\r\nHost: a\r\nX-HTTP-Method-Override: GET\r\nContent-Length: 5\r\n\r\nhello`,
  ],
];

/** Everything over HTTP/1.1. */
export function http1Grid(): GridCase[] {
  return [
    ...framing(),
    ...chunks.map(([what, body]) => ({
      what: `in chunks: ${what}`,
      bytes: (at: string, hidden: string) =>
        latin1(`POST ${at} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}${hidden}`),
    })),
    ...heads.map(([what, head]) => ({ what, bytes: (at: string, hidden: string) => latin1(head(at) + hidden) })),
  ];
}

const post = (at: string, fields: readonly Field[] = []): Field[] => [...requestFields(at, "POST"), ...fields];

/** Requests of HTTP/2, all on stream 1, that become two on HTTP/1.1 if their parts are copied out. */
export function http2Grid(): GridCase[] {
  const made: GridCase[] = [];
  const add = (what: string, frames: (at: string, hidden: string) => readonly Buffer[]): void => {
    made.push({ what, bytes: (at, hidden) => Buffer.concat(frames(at, hidden)) });
  };
  const body = (what: string, fields: readonly Field[] | ((hidden: string) => readonly Field[])): void =>
    add(`${what}, the hidden request as its body`, (at, hidden) => [
      headers(1, post(at, typeof fields === "function" ? fields(hidden) : fields), false),
      data(1, hidden, true),
    ]);
  body("no length", []);
  body("a Content-Length that is right", (hidden) => [["content-length", String(hidden.length)]]);
  for (const length of ["0", "1", "100000", "+5", "-1", "0x5", "5, 5", "5 5", "", "18446744073709551617", " 5", "5 "])
    body(`a Content-Length ${JSON.stringify(length)}`, [["content-length", length]]);
  body("two Content-Lengths", (hidden) => [
    ["content-length", String(hidden.length)],
    ["content-length", "0"],
  ]);
  for (const value of ["chunked", "identity", "gzip, chunked", "CHUNKED", " chunked", "chunked\0"]) {
    body(`Transfer-Encoding ${JSON.stringify(value)}`, [["transfer-encoding", value]]);
    add(`Transfer-Encoding ${JSON.stringify(value)} and an empty chunk before the hidden request`, (at, hidden) => [
      headers(1, post(at, [["transfer-encoding", value]]), false),
      data(1, `0\r\n\r\n${hidden}`, true),
    ]);
  }
  for (const name of ["Content-Length", "content-length ", "content-length\0", "content_length", "content-length\r\n"])
    body(`a field ${JSON.stringify(name)}`, [[name, "0"]]);
  for (const name of [
    "Transfer-Encoding",
    "transfer-encoding ",
    "transfer-encoding\t",
    "transfer_encoding",
    "transfer-encoding: chunked\r\nx",
  ])
    body(`a field ${JSON.stringify(name)}`, [[name, "chunked"]]);
  for (const name of ["connection", "keep-alive", "proxy-connection", "upgrade", "te"])
    body(`a field ${name}`, [[name, "content-length"]]);
  const places: readonly (readonly [what: string, fields: (at: string, text: string) => Field[]])[] = [
    ["a value", (at, text) => [...requestFields(at), ["x", `y${text}`]]],
    ["a name", (at, text) => [...requestFields(at), [`x${text}`, "y"]]],
    ["a cookie", (at, text) => [...requestFields(at), ["cookie", `y${text}`]]],
    [":path", (at, text) => requestFields(`${at}${text}`)],
    ["the query", (at, text) => requestFields(`${at}?${text}`)],
    [":method", (at, text) => [[":method", `GET${text}`], ...requestFields(at).slice(1)]],
    [":scheme", (at, text) => [[":method", "GET"], [":scheme", `http${text}`], ...requestFields(at).slice(2)]],
    [":authority", (at, text) => [...requestFields(at).slice(0, 3), [":authority", `a${text}`]]],
    ["Host", (at, text) => [...requestFields(at).slice(0, 3), ["host", `a${text}`]]],
    ["user-agent", (at, text) => [...requestFields(at), ["user-agent", text]]],
  ];
  for (const [where, fields] of places) {
    for (const [what, open] of [
      ["CR LF", "\r\n"],
      ["LF", "\n"],
      ["CR", "\r"],
      ["a space, a version and line ends", " HTTP/1.1\r\nHost: a\r\n\r\n"],
      ["NUL", "\0"],
      ["a tab", "\t"],
      ["a space", " "],
      ["the UTF-8 of U+560A and U+560D", "\xe5\x98\x8d\xe5\x98\x8a"],
    ] as const) {
      add(`${what} in ${where}, the hidden request behind`, (at, hidden) => [
        headers(1, fields(at, `${open}${hidden}`), true),
      ]);
      add(`${what} in ${where}, a length behind`, (at, hidden) => [
        headers(1, [...fields(at, `${open}content-length: 0`)], false),
        data(1, hidden, true),
      ]);
    }
  }
  for (const method of ["GET", "HEAD", "OPTIONS", "DELETE", "TRACE", "PRI", "get"])
    add(`${method} with the hidden request as its body`, (at, hidden) => [
      headers(1, requestFields(at, method), false),
      data(1, hidden, true),
    ]);
  add("CONNECT with the hidden request behind", (at, hidden) => [
    headers(
      1,
      [
        [":method", "CONNECT"],
        [":authority", `a${at}`],
      ],
      false,
    ),
    data(1, hidden, true),
  ]);
  add("an extended CONNECT that nobody allowed", (at, hidden) => [
    headers(1, [...requestFields(at, "CONNECT"), [":protocol", "websocket"]], false),
    data(1, hidden),
  ]);
  const trailers = (fields: readonly Field[]): Buffer =>
    frame(frameType.headers, 5, 1, headers(1, fields, true).subarray(9));
  for (const [name, value] of [
    ["content-length", "0"],
    ["transfer-encoding", "chunked"],
    ["host", "b"],
    ["x", "y\r\n\r\n"],
    ["x\r\n", "y"],
    [":path", "/x"],
  ] as const)
    add(`a trailer ${JSON.stringify(`${name}: ${value}`)}`, (at, hidden) => [
      headers(1, post(at), false),
      data(1, hidden),
      trailers([[name, value]]),
    ]);
  add("the hidden request in a trailer", (at, hidden) => [
    headers(1, post(at), false),
    data(1, "hello"),
    trailers([["x", `y\r\n\r\n${hidden}`]]),
  ]);
  add("the hidden request as a frame of its own", (at, hidden) => [
    headers(1, requestFields(at), true),
    Buffer.from(hidden, "latin1"),
  ]);
  return made;
}
