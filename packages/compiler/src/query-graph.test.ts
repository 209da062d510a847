import assert from "node:assert/strict";
import { test } from "node:test";
import { QueryGraph } from "./query-graph.ts";

const identical = <Value>(a: Value, b: Value) => a === b;

function setUp() {
  const graph = new QueryGraph();
  const numbers = graph.table<number>(identical);
  const parity = graph.query("parity", identical, (key: string) => (numbers.get(key) ?? 0) % 2);
  const label = graph.query(
    "label",
    (a: { text: string }, b: { text: string }) => a.text === b.text,
    (key: string) => ({ text: parity.get(key) === 0 ? "even" : "odd" }),
  );
  const set = (values: Record<string, number>) => {
    graph.beginRevision();
    numbers.replace(new Map(Object.entries(values)));
  };
  return { graph, numbers, parity, label, set };
}

test("A value is computed once and kept while nothing it read has changed", () => {
  const { graph, label, set } = setUp();
  set({ a: 1 });
  const first = label.get("a");
  set({ a: 1, b: 7 });
  assert.equal(label.get("a"), first);
  assert.deepEqual([...graph.computed()], []);
});

test("A change that leaves an intermediate value the same goes no further", () => {
  const { graph, label, set } = setUp();
  set({ a: 1 });
  const first = label.get("a");
  set({ a: 3 });
  assert.equal(label.get("a"), first);
  assert.deepEqual([...graph.computed()], [["parity", 1]]);
});

test("A change is seen by everything that depends on it, and by nothing else", () => {
  const { graph, label, set } = setUp();
  set({ a: 1, b: 1 });
  const other = label.get("b");
  label.get("a");
  set({ a: 2, b: 1 });
  assert.equal(label.get("a").text, "even");
  assert.equal(label.get("b"), other);
  assert.deepEqual(
    [...graph.computed()],
    [
      ["parity", 1],
      ["label", 1],
    ],
  );
});

test("A change is not lost when it is asked about only some revisions later", () => {
  const { label, set } = setUp();
  set({ a: 1 });
  label.get("a");
  set({ a: 2 });
  set({ a: 2, b: 1 });
  assert.equal(label.get("a").text, "even");
});

test("A result that is recomputed to the same value keeps the old object", () => {
  const graph = new QueryGraph();
  const words = graph.table<string>(identical);
  const upper = graph.query(
    "upper",
    (a: { text: string }, b: { text: string }) => a.text === b.text,
    () => ({ text: (words.get("w") ?? "").toUpperCase() }),
  );
  graph.beginRevision();
  words.replace(new Map([["w", "a"]]));
  const first = upper.get();
  graph.beginRevision();
  words.replace(new Map([["w", "A"]]));
  assert.equal(upper.get(), first);
  assert.deepEqual([...graph.computed()], [["upper", 1]]);
});

test("The absence of a key and the set of keys are dependencies", () => {
  const graph = new QueryGraph();
  const table = graph.table<number>(identical);
  const has = graph.query("has", identical, (key: string) => table.get(key) !== undefined);
  const count = graph.query("count", identical, () => table.keys().length);
  graph.beginRevision();
  assert.equal(has.get("x"), false);
  assert.equal(count.get(), 0);
  graph.beginRevision();
  table.replace(new Map([["x", 1]]));
  assert.equal(has.get("x"), true);
  assert.equal(count.get(), 1);
  graph.beginRevision();
  table.replace(new Map());
  assert.equal(has.get("x"), false);
  assert.equal(count.get(), 0);
});

test("Keys come sorted, however they arrived", () => {
  const graph = new QueryGraph();
  const table = graph.table<number>(identical);
  graph.beginRevision();
  table.replace(
    new Map([
      ["b", 1],
      ["a", 1],
    ]),
  );
  assert.deepEqual(table.keys(), ["a", "b"]);
});

test("A dependency that was read only under an earlier condition is not asked for when that condition has changed", () => {
  const graph = new QueryGraph();
  const table = graph.table<number>(identical);
  const strict = graph.query("strict", identical, (key: string) => {
    const value = table.get(key);
    if (value === undefined) throw new Error(`no ${key}`);
    return value;
  });
  const sum = graph.query("sum", identical, () => table.keys().reduce((total, key) => total + strict.get(key), 0));
  graph.beginRevision();
  table.replace(
    new Map([
      ["a", 1],
      ["b", 2],
    ]),
  );
  assert.equal(sum.get(), 3);
  graph.beginRevision();
  table.replace(new Map([["a", 1]]));
  assert.equal(sum.get(), 1);
});

test("What nobody asks for any more is forgotten", () => {
  const { graph, label, set } = setUp();
  set({ a: 1 });
  const first = label.get("a");
  for (let i = 0; i < 5; i++) set({ a: 1 });
  graph.sweep(3);
  assert.notEqual(label.get("a"), first);
});

test("A computation that throws is tried again the next time", () => {
  const graph = new QueryGraph();
  let isBroken = true;
  const shaky = graph.query("shaky", identical, () => {
    if (isBroken) throw new Error("broken");
    return 1;
  });
  graph.beginRevision();
  assert.throws(() => shaky.get(), /broken/);
  isBroken = false;
  assert.equal(shaky.get(), 1);
});
