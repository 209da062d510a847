import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { envoyStats, formatEnvoyStats, formatEnvoyStatsJson } from "./envoy-stats-text.ts";
import { MetricReader } from "./metric-reader.ts";
import { MetricWriter } from "./metric-writer.ts";
import { formatPrometheus } from "./prometheus-text.ts";
import type { BlockShape, MetricAnnouncement } from "./series.ts";

function pair(maxSeries?: number): { writer: MetricWriter; reader: MetricReader } {
  const reader = new MetricReader();
  const announce = (series: MetricAnnouncement): void => reader.add(series);
  const writer = new MetricWriter(maxSeries === undefined ? { announce } : { announce, maxSeries });
  return { writer, reader };
}

test("a counter is printed with help, type, labels in their order and escaped values", () => {
  const { writer, reader } = pair();
  writer
    .counter("http_requests_total", "Requests.\nAll of them, \\ too.", [
      ["path", 'a"b\\c\nd'],
      ["code", "200"],
    ])
    .add(3);
  assert.equal(
    formatPrometheus(reader.read()),
    "# HELP http_requests_total Requests.\\nAll of them, \\\\ too.\n# TYPE http_requests_total counter\n" +
      'http_requests_total{path="a\\"b\\\\c\\nd",code="200"} 3\n',
  );
});

test("the same name and labels give the same cell", () => {
  const { writer, reader } = pair();
  writer.counter("c_total", "h", [["a", "1"]]).add(1);
  writer.counter("c_total", "h", [["a", "1"]]).add(2);
  assert.equal(reader.total("c_total"), 3);
  assert.equal(writer.size, 1);
});

test("a name keeps its kind", () => {
  const { writer } = pair();
  writer.counter("thing", "h");
  assert.throws(() => writer.gauge("thing", "h"), /the metric thing is a counter, not a gauge/);
});

test("a gauge goes up and down", () => {
  const { writer, reader } = pair();
  const gauge = writer.gauge("open", "h");
  gauge.add(5);
  gauge.add(-2);
  assert.equal(reader.total("open"), 3);
  gauge.set(1);
  assert.match(formatPrometheus(reader.read()), /^open 1$/m);
});

test("buckets of a histogram are cumulative, a value on a bound counts below it, and sum and count agree", () => {
  const { writer, reader } = pair();
  const histogram = writer.histogram("ms", "h", [["x", "y"]], [1, 5]);
  for (const value of [0.5, 1, 3, 100]) histogram.observe(value);
  assert.equal(
    formatPrometheus(reader.read()),
    "# HELP ms h\n# TYPE ms histogram\n" +
      'ms_bucket{x="y",le="1"} 2\nms_bucket{x="y",le="5"} 3\nms_bucket{x="y",le="+Inf"} 4\nms_sum{x="y"} 104.5\nms_count{x="y"} 4\n',
  );
  assert.equal(reader.total("ms"), 4);
});

test("past the limit of series the labels fold into one and no count is lost", () => {
  const { writer, reader } = pair(2);
  for (let user = 0; user < 10; user++) writer.counter("logins_total", "h", [["user", String(user)]]).add(1);
  assert.equal(reader.total("logins_total"), 10);
  assert.equal(reader.total("logins_total", { overflow: "true" }), 8);
  assert.equal(writer.size, 3);
});

test("series that outgrow a chunk go on in another", () => {
  const { writer, reader } = pair();
  for (let index = 0; index < 1000; index++) writer.histogram("h_ms", "h", [["i", String(index)]]).observe(index);
  assert.equal(reader.total("h_ms"), 1000);
});

const clusterShape: BlockShape = [
  { family: { kind: "gauge", name: "cx_active", help: "Open.", bounds: [] }, stat: "cx_active" },
  { family: { kind: "counter", name: "cx_total", help: "Made.", bounds: [] }, stat: "cx_total" },
];

test("the series of a block are read as any, whoever writes them, and however many blocks there are", () => {
  const { writer, reader } = pair(2);
  const second = new MetricWriter({ announce: (announcement) => reader.add(announcement) });
  for (const [index, name] of ["a", "b", "c"].entries()) {
    const block = writer.block(clusterShape, [["name", name]], `cluster.${name}`);
    block.set(0, index + 1);
    block.add(1, 10);
  }
  writer.block(clusterShape, [["name", "b"]], "cluster.b").add(1, 5);
  second.block(clusterShape, [["name", "b"]], "cluster.b").add(1, 100);
  assert.equal(
    formatPrometheus(reader.read()),
    "# HELP cx_active Open.\n# TYPE cx_active gauge\n" +
      'cx_active{name="a"} 1\ncx_active{name="b"} 2\ncx_active{name="c"} 3\n' +
      "# HELP cx_total Made.\n# TYPE cx_total counter\n" +
      'cx_total{name="a"} 10\ncx_total{name="b"} 115\ncx_total{name="c"} 10\n',
  );
  assert.equal(reader.total("cx_total", { name: "b" }), 115);
  assert.match(formatEnvoyStats(envoyStats(reader.read())), /^cluster\.b\.cx_active: 2$/m);
  // Of a name that a block has, there is no metric of another kind.
  assert.throws(() => writer.gauge("cx_total", "h"), /the metric cx_total is a counter, not a gauge/);
});

test("what another thread writes is summed with what this one writes, and stays when the thread is gone", async () => {
  const { writer, reader } = pair();
  writer.counter("hits_total", "h", [["w", "x"]]).add(1);
  const worker = new Worker(
    `const { parentPort } = require("node:worker_threads");
     import(${JSON.stringify(new URL("./metric-writer.ts", import.meta.url).href)}).then(({ MetricWriter }) => {
       const writer = new MetricWriter({ announce: (series) => parentPort.postMessage(series) });
       writer.counter("hits_total", "h", [["w", "x"]]).add(41);
     });`,
    { eval: true },
  );
  worker.on("message", (series: MetricAnnouncement) => reader.add(series));
  await once(worker, "exit");
  assert.equal(reader.total("hits_total", { w: "x" }), 42);
  assert.equal(reader.read().flat().length, 1);
});

test("Envoy's stats use the dotted name, or name and label values, sorted; histograms are left out", () => {
  const { writer, reader } = pair();
  writer
    .counter("envoy_cluster_upstream_rq_total", "h", [["envoy_cluster_name", "web"]], "cluster.web.upstream_rq_total")
    .add(7);
  writer.gauge("build", "h", [["tag", "v1"]]).set(1);
  writer.histogram("ms", "h").observe(1);
  const stats = envoyStats(reader.read());
  assert.equal(formatEnvoyStats(stats), "build.v1: 1\ncluster.web.upstream_rq_total: 7\n");
  assert.deepEqual(JSON.parse(formatEnvoyStatsJson(stats)), {
    stats: [
      { name: "build.v1", value: 1 },
      { name: "cluster.web.upstream_rq_total", value: 7 },
    ],
  });
});
