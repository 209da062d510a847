import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "./byte-writer.ts";

test("take hands out what was written since the last take, and later writing does not touch it", () => {
  const writer = new ByteWriter();
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

test("a message may outgrow the memory, at once or bit by bit", () => {
  const writer = new ByteWriter();
  writer.latin1("abcd");
  writer.latin1("x".repeat(1000));
  for (let i = 0; i < 10_000; i += 1) writer.latin1("y");
  writer.byte(0x2a);
  assert.equal(writer.take().toString(), `abcd${"x".repeat(1000)}${"y".repeat(10_000)}*`);
});

test("bytes above ASCII are written as they are", () => {
  const writer = new ByteWriter();
  writer.latin1("\xe9\xff");
  writer.latin1("\xe9".repeat(30));
  assert.equal(writer.take().toString("latin1"), "\xe9\xff" + "\xe9".repeat(30));
});

test("reset forgets what was written, and any part of the rest can be copied", () => {
  const writer = new ByteWriter();
  writer.latin1("forgotten");
  writer.reset();
  writer.latin1("0123456789");
  const target = Buffer.from("..........");
  writer.copyTo(target, 4, 2, 6);
  assert.deepEqual([target.toString(), writer.take().toString()], ["....2345..", "0123456789"]);
});
