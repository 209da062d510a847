import assert from "node:assert/strict";
import type { FuzzTarget } from "@heddle/testkit";
import { MessageStream } from "../../dns/message-stream.ts";

const maxBytes = 512;

/** What is read of pieces, until a message is announced that nobody waits for. */
function read(pieces: readonly Buffer[]): string[] {
  const stream = new MessageStream(maxBytes);
  const messages: string[] = [];
  for (const piece of pieces) {
    stream.push(piece);
    while (!stream.isTooLong) {
      const message = stream.next();
      if (message === undefined) break;
      assert.ok(message.length <= maxBytes);
      messages.push(message.toString("latin1"));
    }
    if (stream.isTooLong) return [...messages, "too long"];
  }
  return messages;
}

export const target: FuzzTarget = {
  about: "any pieces give the same messages, and none that is longer than allowed",
  seeds: ["\0\x02ab\0\x01c", "\0\0\0\0", "\x02\x01", "\0\x05abc", "\x02\0"],
  dictionary: ["\0", "\0\x01", "\x02\0", "\x02\x01", "\xff\xff"],
  run(input) {
    const whole = read([input]);
    assert.deepEqual(read(Array.from(input, (_, at) => input.subarray(at, at + 1))), whole);
    const middle = input.length >> 1;
    assert.deepEqual(read([input.subarray(0, middle), input.subarray(middle)]), whole);
  },
};
