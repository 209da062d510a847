import assert from "node:assert/strict";
import { test } from "node:test";
import { CarriedMetrics, type CarriedSeries } from "./carried-series.ts";
import { MetricReader } from "./metric-reader.ts";
import { MetricWriter } from "./metric-writer.ts";
import type { BlockShape } from "./series.ts";

function process(): { writer: MetricWriter; reader: MetricReader; carried: CarriedMetrics } {
  const reader = new MetricReader();
  return {
    writer: new MetricWriter({ announce: (series) => reader.add(series) }),
    reader,
    carried: new CarriedMetrics(reader),
  };
}

/** As over a channel between processes. */
function sent(series: readonly CarriedSeries[]): CarriedSeries[] {
  return JSON.parse(JSON.stringify(series));
}

test("counters and histograms of the process before are added to this one's, gauges only while it lives", () => {
  const [old, young] = [process(), process()];
  old.writer.counter("hits_total", "h", [["a", "x"]]).add(7);
  old.writer.gauge("open", "h").set(3);
  old.writer.histogram("ms", "h", [], [1, 5]).observe(2);
  young.writer.counter("hits_total", "h", [["a", "x"]]).add(1);
  young.writer.gauge("open", "h").set(1);
  young.carried.take(1, sent(old.carried.changed()), false);
  assert.equal(young.reader.total("hits_total"), 8);
  assert.equal(young.reader.total("open"), 4);
  assert.equal(young.reader.total("ms"), 1);
  old.writer.counter("hits_total", "h", [["a", "x"]]).add(2);
  young.carried.take(1, sent(old.carried.changed()), true);
  assert.equal(young.reader.total("hits_total"), 10);
  assert.equal(young.reader.total("open"), 1);
});

const clusterShape: BlockShape = [
  { family: { kind: "gauge", name: "cx_active", help: "h", bounds: [] }, stat: "cx_active" },
  { family: { kind: "counter", name: "cx_total", help: "h", bounds: [] }, stat: "cx_total" },
];

test("what a process counted of a block is added to the block of the next, whichever is known first", () => {
  const [old, young] = [process(), process()];
  for (const name of ["a", "b"]) {
    const block = old.writer.block(clusterShape, [["name", name]], `cluster.${name}`);
    block.set(0, 2);
    block.add(1, 7);
  }
  young.writer.block(clusterShape, [["name", "a"]], "cluster.a").add(1, 1);
  young.carried.take(1, sent(old.carried.changed()), false);
  young.writer.block(clusterShape, [["name", "b"]], "cluster.b").add(1, 1);
  for (const name of ["a", "b"]) {
    assert.equal(young.reader.total("cx_total", { name }), 8);
    assert.equal(young.reader.total("cx_active", { name }), 2);
  }
  assert.deepEqual(
    young.reader.read().map((series) => series.map(({ dotted }) => dotted)),
    [
      ["cluster.a.cx_active", "cluster.b.cx_active"],
      ["cluster.a.cx_total", "cluster.b.cx_total"],
    ],
  );
  // What still speaks for itself is not passed on.
  assert.deepEqual(
    young.carried.changed().map(({ family, cells }) => [family.name, cells]),
    [
      ["cx_total", [1]],
      ["cx_total", [1]],
    ],
  );
  young.carried.take(1, [], true);
  assert.equal(young.reader.total("cx_active"), 0);
  assert.equal(young.reader.total("cx_total"), 16);
});

test("only what changed is said again", () => {
  const { writer, carried } = process();
  writer.counter("a_total", "h").add(1);
  writer.counter("never_total", "h");
  const second = writer.counter("b_total", "h");
  second.add(1);
  assert.deepEqual(
    carried.changed().map(({ family }) => family.name),
    ["a_total", "b_total"],
  );
  second.add(1);
  assert.deepEqual(
    carried.changed().map(({ family }) => family.name),
    ["b_total"],
  );
  assert.deepEqual(carried.changed(), []);
});

test("a third process counts each of its two predecessors once, whether the first has ended or not", () => {
  for (const hasEnded of [false, true]) {
    const [first, second, third] = [process(), process(), process()];
    first.writer.counter("hits_total", "h").add(1);
    second.writer.counter("hits_total", "h").add(10);
    third.writer.counter("hits_total", "h").add(100);
    const ofFirst = sent(first.carried.changed());
    second.carried.take(1, ofFirst, hasEnded);
    assert.deepEqual(second.carried.folded, hasEnded ? [1] : []);
    if (!hasEnded) third.carried.take(1, ofFirst, false);
    third.carried.take(2, sent(second.carried.changed()), true);
    assert.equal(third.reader.total("hits_total"), 111);
  }
});

test("what another version counted in another form is left out, whichever is known first", () => {
  const [old, young] = [process(), process()];
  old.writer.histogram("ms", "h", [], [1, 5]).observe(2);
  old.writer.histogram("late_ms", "h", [], [1, 5]).observe(2);
  young.writer.histogram("ms", "h", [], [1, 5, 9]).observe(2);
  young.carried.take(1, sent(old.carried.changed()), true);
  young.writer.histogram("late_ms", "h", [], [2]).observe(1);
  assert.equal(young.reader.total("ms"), 1);
  assert.equal(young.reader.total("late_ms"), 1);
});
