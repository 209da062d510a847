import assert from "node:assert/strict";
import { test } from "node:test";
import type { TimerTarget } from "@heddle/core";
import { bytesOf } from "../testing/http2-frames.ts";
import { Http2Connection } from "./connection.ts";
import type { Http2Sink } from "./connection-sink.ts";
import { Http2KeepAlive } from "./keep-alive.ts";
import { defaultHttp2Limits } from "./limits.ts";

/** Nothing that the codec reports matters here. */
const deaf = new Proxy({}, { get: () => () => {} }) as Http2Sink;

/** Timers that fire when the test says so, and tell how long they were set to. */
class HandTimers {
  readonly set: { readonly delayMs: number; readonly target: TimerTarget }[] = [];
  schedule(delayMs: number, target: TimerTarget): { readonly delayMs: number; readonly target: TimerTarget } {
    const timer = { delayMs, target };
    this.set.push(timer);
    return timer;
  }
  cancel(handle: object): void {
    this.set.splice(this.set.indexOf(handle as (typeof this.set)[number]), 1);
  }
  fire(): void {
    this.set.shift()?.target.onTimer();
  }
}

function keepAlive(jitterPercent: number): {
  timers: HandTimers;
  asked: () => Buffer;
  alive: Http2KeepAlive;
  lost: () => number;
} {
  const codec = new Http2Connection("client", defaultHttp2Limits, deaf);
  codec.takeOutput();
  const timers = new HandTimers();
  let lost = 0;
  const owner = { flushLater: () => {}, onPeerLost: () => (lost += 1) };
  const settings = { intervalMs: 100, timeoutMs: 30, jitterPercent };
  const alive = new Http2KeepAlive(codec, settings, timers as never, () => 0.5, owner);
  return { timers, asked: () => bytesOf(codec.takeOutput()), alive, lost: () => lost };
}

test("the pause between two PINGs is longer by a random part of the jitter", () => {
  assert.equal(keepAlive(0).timers.set[0]?.delayMs, 100);
  assert.equal(keepAlive(40).timers.set[0]?.delayMs, 120);
});

test("an answer begins the next pause; a late one and another's do not; silence is told once", () => {
  const { timers, asked, alive, lost } = keepAlive(0);
  timers.fire();
  const first = asked();
  assert.deepEqual([first.length, first[3]], [17, 6], "a PING frame");
  assert.equal(timers.set[0]?.delayMs, 30);
  alive.onPingAck(Buffer.from("shutdown"), 0);
  assert.equal(timers.set[0]?.delayMs, 30, "not the answer to this question");
  alive.onPingAck(first, 9);
  assert.equal(timers.set[0]?.delayMs, 100);
  timers.fire();
  alive.onPingAck(first, 9);
  assert.equal(timers.set[0]?.delayMs, 30, "the answer to the question before");
  timers.fire();
  assert.equal(lost(), 1);
  assert.deepEqual(timers.set, []);
});
