import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "./byte-writer.ts";

test("take hands out what was written since the last take, and later writing does not touch it", () => {
  const writer = new ByteWriter(64);
  writer.latin1("one");
  const first = writer.take();
  writer.latin1("two");
  writer.bytes(Buffer.from("..three.."), 2, 7);
  assert.equal(writer.length, 8);
  const second = writer.take();
  assert.deepEqual(
    [first.toString(), second.toString(), writer.length, writer.take().length],
    ["one", "twothree", 0, 0],
  );
});

test("a message may outgrow the slab, at once or bit by bit", () => {
  const writer = new ByteWriter(16);
  writer.latin1("0123456789");
  const kept = writer.take();
  writer.latin1("abcd");
  writer.latin1("x".repeat(1000));
  for (let i = 0; i < 1000; i += 1) writer.latin1("y");
  assert.equal(writer.take().toString(), `abcd${"x".repeat(1000)}${"y".repeat(1000)}`);
  assert.equal(kept.toString(), "0123456789");
});

test("bytes above ASCII are written as they are", () => {
  const writer = new ByteWriter();
  writer.latin1("\xe9\xff");
  writer.latin1("\xe9".repeat(30));
  assert.equal(writer.take().toString("latin1"), "\xe9\xff" + "\xe9".repeat(30));
});

test("reset forgets what was not taken", () => {
  const writer = new ByteWriter();
  writer.latin1("taken");
  const taken = writer.take();
  writer.latin1("forgotten");
  writer.reset();
  writer.latin1("next");
  assert.deepEqual([taken.toString(), writer.take().toString()], ["taken", "next"]);
});

test("writers that take turns on what is left of a slab do not touch each other's bytes", () => {
  const writers = Array.from({ length: 4 }, () => new ByteWriter());
  const taken: [Buffer, string][] = [];
  for (let i = 0; i < 5000; i += 1) {
    const writer = writers[(i * 7) % 4] as ByteWriter;
    const text = `${i}`.repeat((i % 13) + 1);
    writer.latin1(text);
    writers[(i * 3) % 4]?.byte(0x2a);
    if (i % 5 === 0) writers[(i * 3) % 4]?.reset();
    for (const other of writers) {
      if (other.length === 0 || (i + other.length) % 3 !== 0) continue;
      const bytes = other.take();
      taken.push([bytes, bytes.toString("latin1")]);
    }
  }
  for (const [bytes, text] of taken) assert.equal(bytes.toString("latin1"), text);
});
