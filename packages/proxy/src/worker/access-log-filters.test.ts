import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connectRaw, startRawServer } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { untilLogged } from "../testing/log-file.ts";
import { TestProxy } from "../testing/test-proxy.ts";

type Json = Record<string, unknown>;

function comparison(op: string, value: number): Json {
  return { comparison: { op, value: { default_value: value, runtime_key: "unused" } } };
}

const status = (op: string, value: number): Json => ({ status_code_filter: comparison(op, value) });
const longerThan = (ms: number): Json => ({ duration_filter: comparison("GE", ms) });
const flags = (...names: string[]): Json => ({ response_flag_filter: { flags: names } });

/** Which of a 200, a 404 without a route (NR) and a 503 without an endpoint (UH) each filter keeps. */
const cases: readonly (readonly [string, Json | undefined, readonly string[]])[] = [
  ["everything", undefined, ["200", "404", "503"]],
  ["at-least-404", status("GE", 404), ["404", "503"]],
  ["at-most-404", status("LE", 404), ["200", "404"]],
  ["exactly-404", status("EQ", 404), ["404"]],
  ["any-duration", longerThan(0), ["200", "404", "503"]],
  ["an-hour", longerThan(3_600_000), []],
  ["no-route", flags("NR"), ["404"]],
  ["some-flag", flags(), ["404", "503"]],
  ["both", { and_filter: { filters: [status("GE", 404), flags("UH")] } }, ["503"]],
  ["either", { or_filter: { filters: [status("EQ", 200), flags("UH")] } }, ["200", "503"]],
];

test("each filter keeps the lines that it names, in text and in JSON", async (context) => {
  const folder = await mkdtemp(join(tmpdir(), "heddle-log-"));
  context.after(() => rm(folder, { recursive: true, force: true }));
  const upstream = await startRawServer();
  const type = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
  const log = (name: string, filter: Json | undefined, format: Json): Json => ({
    name,
    ...(filter === undefined ? {} : { filter }),
    typed_config: { "@type": type, path: join(folder, name), log_format: format },
  });
  const text = { text_format_source: { inline_string: "%RESPONSE_CODE%\n" } };
  const accessLog = [
    ...cases.map(([name, filter]) => log(name, filter, text)),
    log("json", status("EQ", 404), { json_format: { code: "%RESPONSE_CODE%", flags: "%RESPONSE_FLAGS%" } }),
    log("last", undefined, text),
  ];
  const proxy = await TestProxy.start(
    bootstrap(
      [
        httpListener({
          name: "web",
          routes: [route("/ok", "up"), route("/none", "none")],
          manager: { access_log: accessLog },
        }),
      ],
      [cluster("up", [upstream.port]), cluster("none", [])],
    ),
  );
  try {
    const client = await connectRaw(proxy.port("web"));
    await client.send("GET /ok HTTP/1.1\r\nhost: x\r\n\r\n");
    const peer = await upstream.next();
    await peer.until("\r\n\r\n");
    await peer.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    await client.response();
    for (const path of ["/elsewhere", "/none"]) {
      await client.send(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
      await client.response();
    }
    client.socket.destroy();
    await proxy.whenBalanced();
    await untilLogged(join(folder, "last"), "200\n404\n503\n");
  } finally {
    // A proxy that has ended has written all that it will.
    await proxy[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  }
  for (const [name, , kept] of cases) {
    const lines = (await readFile(join(folder, name), "utf8").catch(() => ""))
      .split("\n")
      .filter((line) => line !== "");
    assert.deepEqual(lines, kept, name);
  }
  assert.deepEqual(JSON.parse(await readFile(join(folder, "json"), "utf8")), { code: 404, flags: "NR" });
});
