import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { HeaderList, NameSet } from "./header-list.ts";
import { decodeRequests, testLimits } from "./testing/recorder.ts";
import { Http1RequestDecoder } from "./http1/request-decoder.ts";

function parsed(text: string): HeaderList {
  let list = new HeaderList();
  const decoder = new Http1RequestDecoder(testLimits, {
    onHead: (head) => {
      list = head.headers;
    },
    onData() {},
    onTrailers() {},
    onEnd() {},
    onError() {},
  });
  const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\n${text}\r\n`, "latin1");
  decoder.push(bytes, 0, bytes.length);
  return list;
}

const sample = "X-A: 1\r\nCookie: a=1\r\nx-a: 2\r\nCookie: b=2\r\nX-B: 3\r\n";

test("several values of a name are joined with a comma, cookies with a semicolon", () => {
  for (const list of [parsed(sample), HeaderList.of(...parsed(sample).toPairs())]) {
    assert.equal(list.get("x-a"), "1,2");
    assert.equal(list.get("cookie"), "a=1; b=2");
    assert.equal(list.get("x-c"), undefined);
    assert.deepEqual(list.getAll("x-a"), ["1", "2"]);
    assert.deepEqual(list.getAll("x-c"), []);
    assert.deepEqual([list.has("x-b"), list.has("x-c"), list.length], [true, false, 5]);
  }
});

test("set replaces all values at the place of the first", () => {
  const list = parsed(sample);
  list.set("x-a", "new");
  assert.deepEqual(list.toPairs(), [
    ["x-a", "new"],
    ["cookie", "a=1"],
    ["cookie", "b=2"],
    ["x-b", "3"],
  ]);
  list.set("x-a", "newer");
  list.set("x-d", "4");
  assert.deepEqual([list.get("x-a"), list.get("x-d"), list.length], ["newer", "4", 5]);
});

test("remove, removePrefix, removeAll and clear", () => {
  const list = parsed(sample);
  assert.deepEqual([list.remove("cookie"), list.remove("cookie")], [true, false]);
  list.append("x-c", "4");
  assert.deepEqual(list.toPairs(), [
    ["x-a", "1"],
    ["x-a", "2"],
    ["x-b", "3"],
    ["x-c", "4"],
  ]);
  list.removeAll(new NameSet(["x-b", "x-c", "x-z"]));
  assert.deepEqual(list.toPairs(), [
    ["x-a", "1"],
    ["x-a", "2"],
  ]);
  list.removePrefix("x-");
  assert.equal(list.length, 0);
  list.append("a", "b");
  list.clear();
  assert.deepEqual(list.toPairs(), []);
});

test("a clone changes on its own", () => {
  const list = parsed(sample);
  const copy = list.clone();
  copy.set("x-a", "new");
  list.remove("x-b");
  assert.deepEqual([list.get("x-a"), copy.get("x-a"), copy.get("x-b")], ["1,2", "new", "3"]);
});

test("an index outside of the list is a defect and says so", () => {
  const list = parsed(sample);
  for (const index of [-1, 5]) {
    assert.throws(() => list.nameAt(index), RangeError);
    assert.throws(() => list.valueAt(index), RangeError);
  }
});

test("names with equal keys are told apart", () => {
  // Length, first, middle and last byte are equal.
  const list = parsed("abcdefg: 1\r\naxcdxfg: 2\r\n");
  assert.deepEqual([list.get("abcdefg"), list.get("axcdxfg"), list.get("aycdyfg")], ["1", "2", undefined]);
  list.remove("axcdxfg");
  assert.deepEqual(list.toPairs(), [["abcdefg", "1"]]);
});

test("field lines leave out what the encoder writes itself", () => {
  const list = parsed("A: 1\r\nContent-Length: 0\r\nB: 2\r\nC:3\r\n");
  list.append("d", "4");
  list.append("host", "x");
  assert.equal(list.toFieldLines(false), "a: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\n");
  assert.equal(list.toFieldLines(true), "a: 1\r\ncontent-length: 0\r\nb: 2\r\nc: 3\r\nd: 4\r\n");
});

const name = fc.constantFrom("a", "b", "ab", "abcdefg", "axcdxfg", "cookie", "x-forwarded-for", "proto");
const value = fc.stringMatching(/^[!-~]{0,12}$/);
const operation = fc.oneof(
  fc.record({ kind: fc.constant("set" as const), name, value }),
  fc.record({ kind: fc.constant("append" as const), name, value }),
  fc.record({ kind: fc.constant("remove" as const), name }),
  fc.record({ kind: fc.constant("removePrefix" as const), name }),
);

test("any sequence of operations does what it does on a plain list of pairs", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(name, value), { maxLength: 8 }),
      fc.array(operation, { maxLength: 12 }),
      (initial, operations) => {
        const list = parsed(initial.map(([name, value]) => `${name.toUpperCase()}:${value}\r\n`).join(""));
        let model = initial.map(([name, value]): [string, string] => [name, value]);
        for (const step of operations) {
          if (step.kind === "append") {
            list.append(step.name, step.value);
            model.push([step.name, step.value]);
          } else if (step.kind === "set") {
            list.set(step.name, step.value);
            const first = model.findIndex(([name]) => name === step.name);
            model = model.filter(([name], index) => name !== step.name || index === first);
            if (first < 0) model.push([step.name, step.value]);
            else model[first] = [step.name, step.value];
          } else if (step.kind === "remove") {
            assert.equal(
              list.remove(step.name),
              model.some(([name]) => name === step.name),
            );
            model = model.filter(([name]) => name !== step.name);
          } else {
            list.removePrefix(step.name);
            model = model.filter(([name]) => !name.startsWith(step.name));
          }
          assert.deepEqual(list.toPairs(), model);
          assert.deepEqual(
            list.getAll("ab"),
            model.filter(([name]) => name === "ab").map(([, value]) => value),
          );
        }
        assert.equal(list.toFieldLines(false), model.map(([name, value]) => `${name}: ${value}\r\n`).join(""));
      },
    ),
  );
});

test("a list outlives the bytes it was read from", () => {
  const run = decodeRequests("GET / HTTP/1.1\r\nHost: a\r\nX: one\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nX: two\r\n\r\n");
  assert.deepEqual(
    run.requests.map((request) => request.head.headers),
    [[["x", "one"]], [["x", "two"]]],
  );
});
