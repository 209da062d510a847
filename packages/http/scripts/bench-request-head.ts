/**
 * What one forwarded request costs in the codec: parse its head, look at a few fields, remove the hop-by-hop ones, add three, encode it again.
 * Compares the codec of this package, which reads bytes into offsets, with two ways to read the head from one latin1 string.
 *
 *   node packages/http/scripts/bench-request-head.ts
 *
 * Not a test: figures are for the machine they were taken on; compare within one run.
 */
import type { RequestHead } from "../src/index.ts";
import {
  defaultHttp1Limits,
  encodeRequestHead,
  isEncodableField,
  readAuthority,
  Http1RequestDecoder,
  removeHopByHop,
} from "../src/index.ts";
import { ByteWriter } from "../src/byte-writer.ts";

const browserHead = Buffer.from(
  [
    "GET /api/books/42/reviews?page=2&order=newest HTTP/1.1",
    "Host: bookshop.example.com:8080",
    "Connection: keep-alive",
    'sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24"',
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Referer: https://bookshop.example.com/books",
    "Accept-Encoding: gzip, deflate, br",
    "Accept-Language: en-GB,en;q=0.9",
    "Cookie: session=9f86d081884c7d659a2feaa0c55ad015",
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "",
    "",
  ].join("\r\n"),
);
const smallHead = Buffer.from("GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: wrk\r\n\r\n");

const looked = ["x-request-id", "x-forwarded-for", "x-forwarded-proto", "user-agent", "traceparent"];
const added = [
  ["x-forwarded-for", "127.0.0.1"],
  ["x-forwarded-proto", "http"],
  ["x-request-id", "0af76519-16cd-43dd-8448-eb211c80319c"],
] as const;
const none = { kind: "none" } as const;

type Candidate = (bytes: Buffer, writer: ByteWriter) => number;

function byOffsets(): Candidate {
  let writer = new ByteWriter();
  let checksum = 0;
  const decoder = new Http1RequestDecoder(defaultHttp1Limits, {
    onHead(head: RequestHead) {
      const { headers } = head;
      for (const name of looked) checksum += headers.get(name)?.length ?? 0;
      removeHopByHop(headers, true);
      for (const [name, value] of added) headers.set(name, value);
      writer.latin1(encodeRequestHead(head.method, head.path, head.authority, headers, none) ?? "");
    },
    onData() {},
    onTrailers() {},
    onEnd: () => decoder.next(),
    onError(violation) {
      throw new Error(violation.reason);
    },
  });
  return (bytes, target) => {
    writer = target;
    decoder.push(bytes, 0, bytes.length);
    return checksum;
  };
}

/** The rest of the work for the candidates that hold names and values as strings. */
class StringFields {
  readonly names: string[] = [];
  readonly values: string[] = [];

  get(name: string): string | undefined {
    const at = this.names.indexOf(name);
    return at < 0 ? undefined : this.values[at];
  }

  remove(name: string): void {
    const at = this.names.indexOf(name);
    if (at < 0) return;
    this.names.splice(at, 1);
    this.values.splice(at, 1);
  }

  append(name: string, value: string): void {
    this.names.push(name);
    this.values.push(value);
  }
}

const connectionFields = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
];

/** The same rules as the codec's: authority, framing, persistence, and what is added is checked before it is written. */
function forwardStrings(method: string, path: string, fields: StringFields, writer: ByteWriter): number {
  let checksum = 0;
  const authority = readAuthority(fields.get("host") ?? "");
  if (authority === undefined) throw new Error("bad host");
  if (fields.get("content-length") !== undefined || fields.get("transfer-encoding") !== undefined)
    throw new Error("unexpected body");
  const connection = fields.get("connection")?.toLowerCase();
  checksum += connection === "close" || fields.get("expect") === "100-continue" ? 1 : 0;
  for (const name of looked) checksum += fields.get(name)?.length ?? 0;
  for (const name of connectionFields) fields.remove(name);
  fields.remove("host");
  for (const [name, value] of added) {
    if (!isEncodableField(name, value)) throw new Error("bad field");
    fields.remove(name);
    fields.append(name, value);
  }
  if (!isEncodableField(method, path) || !isEncodableField("host", authority)) throw new Error("bad target");
  let text = `${method} ${path} HTTP/1.1\r\nhost: ${authority}\r\n`;
  for (let i = 0; i < fields.names.length; i += 1) text += `${fields.names[i]}: ${fields.values[i]}\r\n`;
  writer.latin1(`${text}\r\n`);
  return checksum;
}

const isToken = Array.from({ length: 256 }, (_, code) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(code)));
const isValue = Array.from({ length: 256 }, (_, code) => code === 9 || (code >= 32 && code !== 127));

const byCharCode: Candidate = (bytes, writer) => {
  const text = bytes.toString("latin1");
  const fields = new StringFields();
  let i = 0;
  while (isToken[text.charCodeAt(i)]) i += 1;
  const method = text.slice(0, i);
  const pathStart = i + 1;
  for (i = pathStart; text.charCodeAt(i) > 32; ) i += 1;
  const path = text.slice(pathStart, i);
  if (!text.startsWith(" HTTP/1.1\r\n", i)) throw new Error("bad request line");
  i += 11;
  while (text.charCodeAt(i) !== 13) {
    const nameStart = i;
    while (isToken[text.charCodeAt(i)]) i += 1;
    if (text.charCodeAt(i) !== 58) throw new Error("bad name");
    const name = text.slice(nameStart, i).toLowerCase();
    do i += 1;
    while (text.charCodeAt(i) === 32 || text.charCodeAt(i) === 9);
    const valueStart = i;
    while (isValue[text.charCodeAt(i)]) i += 1;
    if (text.charCodeAt(i) !== 13 || text.charCodeAt(i + 1) !== 10) throw new Error("bad value");
    let valueEnd = i;
    while (valueEnd > valueStart && (text.charCodeAt(valueEnd - 1) === 32 || text.charCodeAt(valueEnd - 1) === 9))
      valueEnd -= 1;
    fields.append(name, text.slice(valueStart, valueEnd));
    i += 2;
  }
  return forwardStrings(method, path, fields, writer);
};

const requestLine = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-~]+) HTTP\/1\.1\r\n/y;
const fieldLine = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t -~\x80-\xff]*)\r\n/y;

const byRegExp: Candidate = (bytes, writer) => {
  const text = bytes.toString("latin1");
  const fields = new StringFields();
  requestLine.lastIndex = 0;
  const start = requestLine.exec(text);
  if (start === null) throw new Error("bad request line");
  fieldLine.lastIndex = requestLine.lastIndex;
  let end = fieldLine.lastIndex;
  for (let line = fieldLine.exec(text); line !== null; line = fieldLine.exec(text)) {
    fields.append((line[1] as string).toLowerCase(), (line[2] as string).trimEnd());
    end = fieldLine.lastIndex;
  }
  if (!text.startsWith("\r\n", end)) throw new Error("bad field");
  return forwardStrings(start[1] as string, start[2] as string, fields, writer);
};

const candidates: [name: string, run: Candidate][] = [
  ["offsets", byOffsets()],
  ["charCodeAt", byCharCode],
  ["RegExp", byRegExp],
];

const perRound = 100_000;
const rounds = 9;

function nanoseconds(run: Candidate, bytes: Buffer, writer: ByteWriter): number {
  // CPU time of this thread (garbage collection on helper threads not counted): a shared machine's other work stays out.
  const begin = process.threadCpuUsage();
  for (let i = 0; i < perRound; i += 1) {
    run(bytes, writer);
    // As in the proxy: what a turn has written is handed to the socket.
    if (i % 16 === 15) writer.take();
  }
  const used = process.threadCpuUsage(begin);
  return ((used.user + used.system) * 1000) / perRound;
}

for (const [title, bytes] of [
  ["browser, 11 fields", browserHead],
  ["wrk, 2 fields", smallHead],
] as const) {
  console.log(
    `${title}, ${bytes.length} bytes: CPU ns per request, median of ${rounds} alternating rounds (min to max)`,
  );
  const results = candidates.map((): number[] => []);
  for (let round = -2; round < rounds; round += 1) {
    candidates.forEach(([, run], index) => {
      const measured = nanoseconds(run, bytes, new ByteWriter());
      if (round >= 0) results[index]?.push(measured);
    });
  }
  candidates.forEach(([name], index) => {
    const sorted = (results[index] ?? []).sort((a, b) => a - b);
    const [min, median, max] = [sorted[0], sorted[rounds >> 1], sorted.at(-1)].map((value) => Math.round(value ?? 0));
    console.log(`  ${name.padEnd(12)} ${median} (${min} to ${max})`);
  });
}
