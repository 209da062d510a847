import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connectRaw } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { Http2Attacker } from "../testing/http2-attacker.ts";
import { request } from "../testing/http2-frames.ts";
import { untilLogged } from "../testing/log-file.ts";
import { type RealServer, startRealServers } from "../testing/real-servers.ts";
import { type GridCase, http1Grid, http2Grid } from "../testing/smuggling-grid.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// Request smuggling: malformed and ambiguous requests over HTTP/1.1 and HTTP/2, through the proxy to servers that others wrote. Whatever a request
// is, the proxy refuses it, or the server reads the very requests that the proxy forwarded, each once and no other. Both are told by their logs.

let servers: RealServer[];
let proxy: TestProxy;
let folder: string;
const names = ["nginx", "apache2", "haproxy", "node"];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-smuggling-"));
  servers = await startRealServers();
  const accessLog = (name: string): Record<string, unknown> => ({
    name,
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
      path: join(folder, name),
      log_format: {
        text_format_source: { inline_string: "%UPSTREAM_HOST% %RESPONSE_CODE% %REQ(:METHOD)% %REQ(:PATH)%\n" },
      },
    },
  });
  proxy = await TestProxy.start(
    bootstrap(
      servers.map(({ name }) =>
        httpListener({
          name,
          routes: [route("/", name)],
          manager: {
            access_log: [accessLog(name)],
            // Cases that wait for more than will come end soon; each connection ends by itself.
            request_headers_timeout: "0.3s",
            request_timeout: "0.3s",
            common_http_protocol_options: { idle_timeout: "0.3s" },
            delayed_close_timeout: "0.05s",
            http_protocol_options: { accept_http_10: true, enable_trailers: true },
          },
        }),
      ),
      servers.map(({ name, port }) => cluster(name, [port])),
    ),
  );
});
after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  for (const server of servers ?? []) await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const atOnce = 40;
const marked = (text: string, index: number): boolean => new RegExp(`-${index}(?![0-9])`).test(text);

/** Runs every case, each on a connection of its own that the proxy ends. */
async function run(prefix: string, grid: readonly GridCase[], play: (bytes: Buffer) => Promise<void>): Promise<void> {
  const waiting = grid.entries();
  const worker = async (): Promise<void> => {
    for (const [index, { bytes }] of waiting) {
      const hidden = `GET /${prefix}-hidden-${index} HTTP/1.1\r\nHost: a\r\n\r\n`;
      await play(bytes(`/${prefix}-${index}`, hidden));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Requests as "METHOD path" that the proxy sent on, by the status of their answers. */
interface Forwarded {
  readonly status: number;
  readonly request: string;
}

async function forwardedBy(name: string, prefix: string): Promise<Forwarded[]> {
  const path = join(folder, name);
  const client = await connectRaw(proxy.port(name));
  await client.send(`GET /${prefix}-end HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
  await client.untilEnd();
  await client[Symbol.asyncDispose]();
  await untilLogged(path, `/${prefix}-end`);
  const lines = (await readFile(path, "utf8")).split("\n");
  return lines.flatMap((line) => {
    const [, upstream, status, request = ""] = /^(\S+) (\d+) (.*)$/.exec(line) ?? [];
    return upstream === "-" || !request.includes(`/${prefix}-`) ? [] : [{ status: Number(status), request }];
  });
}

const isStray = (line: string): boolean => !/ \/http[12]-/.test(line);
const count = (lines: readonly string[], wanted: string): number => lines.filter((line) => line === wanted).length;

/**
 * Judges every case by both logs.
 *
 * @param before the server's log before the cases were played
 * @returns what is wrong, and how many were refused
 */
async function judge(
  server: RealServer,
  prefix: string,
  grid: readonly GridCase[],
  before: readonly string[],
): Promise<[string[], number]> {
  const forwarded = await forwardedBy(server.name, prefix);
  const log = (await server.log()).slice(before.length);
  const wrong: string[] = [];
  let refused = 0;
  let unread = 0;
  for (const [index, { what }] of grid.entries()) {
    const isMine = (line: string): boolean => line.includes(`/${prefix}-`) && marked(line, index);
    const sent = forwarded.filter(({ request }) => isMine(request));
    const read = log.filter(isMine).map((line) => line.replace(/^\d+ /, ""));
    if (sent.length === 0) refused += 1;
    const requests = sent.map(({ request }) => request);
    for (const line of new Set(read))
      if (count(read, line) > count(requests, line))
        wrong.push(`${what}: ${server.name} read ${JSON.stringify(line)} more often than the proxy sent it`);
    for (const line of new Set(requests)) {
      const answers = sent.filter(({ request }) => request === line);
      const missing = answers.length - count(read, line);
      if (missing <= 0) continue;
      // Answered and not read: the answer was another request's.
      if (answers.some(({ status }) => status >= 200 && status < 400))
        wrong.push(`${what}: the proxy got an answer to ${JSON.stringify(line)}, which ${server.name} did not read`);
      if (answers.some(({ status }) => refusals.includes(status))) unread += missing;
    }
  }
  // What a server could not read as a request must be one that it refused: bytes of a body are none.
  const strays = log.filter(isStray);
  if (strays.length > unread)
    wrong.push(`${server.name} read what nobody sent: ${strays.join(", ")}; it refused ${unread}`);
  return [wrong, refused];
}

/** Statuses by which a server refuses what it cannot read. */
const refusals = [400, 405, 417, 501];

async function playHttp1(name: string, bytes: Buffer): Promise<void> {
  const client = await connectRaw(proxy.port(name));
  await client.send(bytes);
  await client.untilEnd();
  await client[Symbol.asyncDispose]();
}

async function playHttp2(name: string, bytes: Buffer): Promise<void> {
  await Http2Attacker.attack(proxy.port(name), async (client) => {
    await client.send(bytes);
    await client.until("the end of the stream", () => client.hasEnded(1) || client.isCutOff);
    // And one that is behind it on the proxy's connection, whose answer must be its own.
    if (client.isCutOff) return;
    await client.send(request(3, "/http2-behind"));
    await client.until("the next answer", () => client.hasEnded(3) || client.isCutOff);
  });
}

test("the grid is large, and no two of its cases are the same", () => {
  for (const grid of [http1Grid(), http2Grid()]) {
    assert.equal(new Set(grid.map(({ what }) => what)).size, grid.length);
    assert.equal(
      new Set(grid.map(({ bytes }) => bytes("/a", "GET /b HTTP/1.1\r\n\r\n").toString("latin1"))).size,
      grid.length,
    );
  }
  assert.ok(http1Grid().length > 800, String(http1Grid().length));
  assert.ok(http2Grid().length > 200, String(http2Grid().length));
});

for (const name of names) {
  test(`HTTP/1.1 to HTTP/1.1: the proxy and ${name} agree on every request, or the proxy refuses it`, async () => {
    const server = servers.find((candidate) => candidate.name === name);
    assert.ok(server !== undefined);
    const grid = http1Grid();
    const log = [...(await server.log())];
    await run("http1", grid, (bytes) => playHttp1(name, bytes));
    const [wrong, refused] = await judge(server, "http1", grid, log);
    assert.deepEqual(wrong, []);
    assert.ok(refused > grid.length / 4 && refused < grid.length, `${refused} of ${grid.length} were refused`);
  });

  test(`HTTP/2 to HTTP/1.1: the proxy and ${name} agree on every request, or the proxy refuses it`, async () => {
    const server = servers.find((candidate) => candidate.name === name);
    assert.ok(server !== undefined);
    const grid = http2Grid();
    const log = [...(await server.log())];
    await run("http2", grid, (bytes) => playHttp2(name, bytes));
    const [wrong, refused] = await judge(server, "http2", grid, log);
    assert.deepEqual(wrong, []);
    assert.ok(refused > grid.length / 4 && refused < grid.length, `${refused} of ${grid.length} were refused`);
  });
}
