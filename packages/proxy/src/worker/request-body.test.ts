import assert from "node:assert/strict";
import { test } from "node:test";
import { type BodySink, RequestBody } from "./request-body.ts";

class Recorder implements BodySink {
  text = "";
  ended = 0;
  isOpen = true;
  sendData(bytes: Buffer, start: number, end: number): boolean {
    this.text += bytes.toString("latin1", start, end);
    return this.isOpen;
  }
  sendTrailers(): void {}
  end(): void {
    this.ended += 1;
  }
}

function receive(body: RequestBody, text: string): void {
  // What a socket hands out is valid only during the call.
  const bytes = Buffer.from(`--${text}--`);
  body.receive(bytes, 2, bytes.length - 2);
  bytes.fill(0x58);
}

test("a body that arrives before its attempt is sent when the attempt begins", () => {
  const body = new RequestBody(100);
  receive(body, "abc");
  receive(body, "def");
  body.complete(undefined);
  const attempt = new Recorder();
  body.attach(attempt);
  assert.deepEqual([attempt.text, attempt.ended], ["abcdef", 1]);
  assert.equal(body.isSent, true);
});

test("a retry in the middle of the body gets the first bytes again and the rest as it arrives", () => {
  const body = new RequestBody(100);
  const first = new Recorder();
  body.attach(first);
  receive(body, "abc");
  body.detach();
  receive(body, "def");
  const second = new Recorder();
  body.attach(second);
  receive(body, "ghi");
  body.complete(undefined);
  assert.deepEqual([first.text, first.ended], ["abc", 0]);
  assert.deepEqual([second.text, second.ended], ["abcdefghi", 1]);
});

test("a body longer than the limit is sent once and can no longer be repeated", () => {
  const body = new RequestBody(5);
  const attempt = new Recorder();
  body.attach(attempt);
  receive(body, "abc");
  assert.equal(body.isReplayable, true);
  receive(body, "def");
  assert.equal(body.isReplayable, false);
  receive(body, "ghi");
  body.complete(undefined);
  assert.deepEqual([attempt.text, attempt.ended, body.keptBytes().length], ["abcdefghi", 1, 0]);
});

test("a body that nobody needs again is not kept", () => {
  const body = new RequestBody(100);
  body.stopKeeping();
  const attempt = new Recorder();
  body.attach(attempt);
  receive(body, "abc");
  assert.equal(body.keptBytes().length, 0);
  assert.equal(body.isReplayable, false);
});

test("while the upstream is blocked bytes wait, and they go on in order when it drains", () => {
  const body = new RequestBody(4);
  const attempt = new Recorder();
  attempt.isOpen = false;
  body.attach(attempt);
  receive(body, "abc");
  receive(body, "def");
  receive(body, "g");
  body.complete(undefined);
  assert.deepEqual([attempt.text, attempt.ended, body.unsentBytes], ["abc", 0, 4]);
  body.onDrain();
  assert.equal(attempt.text, "abcdef");
  attempt.isOpen = true;
  body.onDrain();
  assert.deepEqual([attempt.text, attempt.ended, body.unsentBytes], ["abcdefg", 1, 0]);
});

test("an attempt that fails inside a write leaves the bytes for the next one", () => {
  const body = new RequestBody(100);
  const second = new Recorder();
  const first: BodySink = {
    sendData: () => {
      body.detach();
      body.attach(second);
      return true;
    },
    sendTrailers() {},
    end: () => assert.fail("the failed attempt is not ended"),
  };
  receive(body, "abc");
  body.complete(undefined);
  body.attach(first);
  assert.deepEqual([second.text, second.ended], ["abc", 1]);
});
