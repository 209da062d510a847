import assert from "node:assert/strict";
import { test } from "node:test";
import { type JsonObject, ListenerSchema } from "@heddle/xds/api";
import type { AccessLogConfig } from "../config/access-log.ts";
import { configOf, fromEnvoyJson, listenerJson, problemsOf, routesJson, typeUrls } from "../testing/harness.ts";
import { loadListener } from "./listener.ts";

const loggers = "type.googleapis.com/envoy.extensions.access_loggers";
const file = (own: JsonObject): JsonObject => ({
  name: "file",
  typed_config: { "@type": `${loggers}.file.v3.FileAccessLog`, ...own },
});
const stream = (kind: "Stdout" | "Stderr", own: JsonObject = {}): JsonObject => ({
  name: kind,
  typed_config: { "@type": `${loggers}.stream.v3.${kind}AccessLog`, ...own },
});

const parse = (log: JsonObject) =>
  loadListener(fromEnvoyJson(ListenerSchema, listenerJson({ route_config: routesJson([]) }, { access_log: [log] })), {
    readFile: () => new TextEncoder().encode("from file\n"),
  });
const refused = (log: JsonObject): string[] =>
  problemsOf(parse(log)).map((problem) => problem.replace("access_log[0].", ""));

function load(log: JsonObject): AccessLogConfig | undefined {
  return configOf(parse(log)).accessLogs[0];
}

test("an access log's sink, format and filter arrive", () => {
  assert.deepEqual(load(file({ path: "/var/log/access" })), {
    name: "file",
    sink: { kind: "file", path: "/var/log/access" },
    format: { kind: "default" },
    omitEmptyValues: false,
    filter: undefined,
  });
  const sinks = [file({ path: "/dev/stdout" }), file({ path: "/dev/stderr" }), stream("Stdout"), stream("Stderr")].map(
    (log) => load(log)?.sink.kind,
  );
  assert.deepEqual(sinks, ["stdout", "stderr", "stdout", "stderr"]);
  const format = (own: JsonObject) => load(stream("Stdout", { log_format: own }));
  assert.deepEqual(format({ text_format: "%PROTOCOL%\n" })?.format, { kind: "text", text: "%PROTOCOL%\n" });
  const errors = load(stream("Stderr", { log_format: { text_format: "%PROTOCOL%\n" } }));
  assert.deepEqual(errors?.format, { kind: "text", text: "%PROTOCOL%\n" });
  assert.deepEqual(format({ text_format_source: { filename: "/format" } })?.format, {
    kind: "text",
    text: "from file\n",
  });
  assert.deepEqual(format({ json_format: { a: "%PROTOCOL%", nested: { b: [1, true] } }, omit_empty_values: true }), {
    name: "Stdout",
    sink: { kind: "stdout" },
    format: { kind: "json", json: { a: "%PROTOCOL%", nested: { b: [1, true] } } },
    omitEmptyValues: true,
    filter: undefined,
  });
  const comparison = (op: string, value: number): JsonObject => ({
    comparison: { op, value: { default_value: value, runtime_key: "unused" } },
  });
  const filter = (own: JsonObject) => load({ ...stream("Stdout"), filter: own })?.filter;
  assert.deepEqual(filter({ status_code_filter: comparison("GE", 500) }), { kind: "status", op: ">=", value: 500 });
  assert.deepEqual(filter({ duration_filter: comparison("LE", 10) }), { kind: "duration", op: "<=", value: 10 });
  assert.deepEqual(filter({ response_flag_filter: { flags: ["UH", "UF"] } }), {
    kind: "response-flags",
    flags: ["UH", "UF"],
  });
  const both = { filters: [{ response_flag_filter: {} }, { status_code_filter: comparison("EQ", 404) }] };
  const members = [
    { kind: "response-flags", flags: [] },
    { kind: "status", op: "=", value: 404 },
  ];
  assert.deepEqual(filter({ and_filter: both }), { kind: "and", filters: members });
  assert.deepEqual(filter({ or_filter: both }), { kind: "or", filters: members });
});

test("an access log is also kept by connection managers and TCP proxies", () => {
  const http = configOf(
    loadListener(
      fromEnvoyJson(ListenerSchema, listenerJson({ route_config: routesJson([]), access_log: [stream("Stdout")] })),
    ),
  ).filterChains[0]?.terminal;
  assert.equal(http?.kind === "http" && http.http.accessLogs.length, 1);
  const tcp = {
    name: "tcp",
    typed_config: { "@type": typeUrls.tcpProxy, stat_prefix: "t", cluster: "a", access_log: [stream("Stdout")] },
  };
  const chain = configOf(
    loadListener(fromEnvoyJson(ListenerSchema, listenerJson({}, { filter_chains: [{ filters: [tcp] }] }))),
  ).filterChains[0]?.terminal;
  assert.equal(chain?.kind === "tcp" && chain.tcp.accessLogs.length, 1);
});

test("access logs that are incomplete or of another kind are refused", () => {
  assert.deepEqual(refused(file({ path: "" })), ["typed_config.path: the field is empty"]);
  assert.deepEqual(refused({ name: "x" }), ["typed_config: typed_config is missing"]);
  assert.deepEqual(refused({ name: "x", typed_config: { "@type": typeUrls.router } }), [
    'typed_config: "envoy.extensions.filters.http.router.v3.Router" is not supported here',
  ]);
  assert.deepEqual(refused({ ...stream("Stdout"), filter: {} }), ["filter: the filter is empty"]);
  assert.deepEqual(
    refused({ ...stream("Stdout"), filter: { and_filter: { filters: [{ response_flag_filter: {} }] } } }),
    ["filter.and_filter.filters: there are fewer than two filters"],
  );
  assert.deepEqual(refused({ ...stream("Stdout"), filter: { status_code_filter: {} } }), [
    "filter.status_code_filter.comparison: there is nothing to compare with",
  ]);
  assert.deepEqual(refused({ ...stream("Stdout"), filter: { not_health_check_filter: {} } }), [
    "filter.not_health_check_filter: envoy.config.accesslog.v3.AccessLogFilter.not_health_check_filter is not supported",
  ]);
});
