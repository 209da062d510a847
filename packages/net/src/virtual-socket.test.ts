import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { test } from "node:test";
import type { SocketHandler } from "./fast-socket.ts";
import type { VirtualCarrier } from "./virtual-socket.ts";
import { VirtualSocket } from "./virtual-socket.ts";

const ends = {
  remoteAddress: { host: "10.0.0.1", port: 1 },
  localAddress: { host: "10.0.0.2", port: 2 },
  tls: undefined,
};

/** Writes down what the socket asks of what carries it. */
class Recorder implements VirtualCarrier {
  readonly asked: string[] = [];
  queuedBytes = 0;
  sentBytes = 0;
  isSpent = false;
  /** Nothing waits when the socket ends. */
  isFlushed = true;
  write(bytes: Buffer, start: number, end: number): boolean {
    this.asked.push(`write ${bytes.toString("latin1", start, end)}`);
    return true;
  }
  end(): boolean {
    this.asked.push("end");
    return this.isFlushed;
  }
  finish(): void {
    this.asked.push("finish");
  }
  pause(): void {
    this.asked.push("pause");
  }
  resume(): void {
    this.asked.push("resume");
  }
  accept(): void {
    this.asked.push("accept");
  }
  refuse(code: string): void {
    this.asked.push(`refuse ${code}`);
  }
  cancel(): void {
    this.asked.push("cancel");
  }
}

/** A handler that reads everything, but for what the test says otherwise. */
class Reader extends EventEmitter implements SocketHandler {
  text = "";
  ended = false;
  closed = 0;
  take: (bytes: Buffer, start: number, end: number) => number = (_bytes, start, end) => end - start;
  onReady(): void {}
  onBytes(bytes: Buffer, start: number, end: number): number {
    const used = this.take(bytes, start, end);
    this.text += bytes.toString("latin1", start, start + used);
    return used;
  }
  onEnd(): void {
    this.ended = true;
  }
  onDrain(): void {}
  onClose(): void {
    this.closed += 1;
    this.emit("closed");
  }
}

function opened(): { socket: VirtualSocket; carrier: Recorder; reader: Reader; receive: (text: string) => void } {
  const carrier = new Recorder();
  const socket = new VirtualSocket(carrier, ends);
  const receive = (text: string): void => socket.receive(Buffer.from(text), 0, text.length);
  return { socket, carrier, reader: new Reader(), receive };
}

test("what comes before anybody reads is kept, and delivered in order with the end behind it", () => {
  const { socket, reader, receive } = opened();
  receive("one ");
  receive("two");
  socket.receiveEnd();
  assert.deepEqual([reader.text, reader.ended], ["", false]);
  socket.start(reader);
  assert.deepEqual([reader.text, reader.ended], ["one two", true]);
});

test("what a handler leaves stops the carrier until it is offered again", () => {
  const { socket, carrier, reader, receive } = opened();
  socket.start(reader);
  reader.take = () => 1;
  receive("abc");
  assert.deepEqual([reader.text, carrier.asked], ["a", ["pause"]]);
  receive("d");
  reader.take = (_bytes, start, end) => end - start;
  socket.resume();
  assert.deepEqual([reader.text, carrier.asked], ["abcd", ["pause", "resume"]]);
});

test("bytes put back are for the handler that follows, and the carrier goes on afterwards", () => {
  const { socket, carrier, reader, receive } = opened();
  const inspector = new Reader();
  inspector.take = (bytes, start, end) => {
    socket.unread(Buffer.from(bytes.subarray(start, end)));
    socket.start(reader);
    return end - start;
  };
  socket.start(inspector);
  receive("first");
  receive(" second");
  assert.equal(reader.text, "first second");
  assert.deepEqual(carrier.asked.at(-1), "resume");
});

test("a handler that pauses and goes on within one call is not left waiting", () => {
  const { socket, carrier, reader, receive } = opened();
  socket.start(reader);
  reader.take = (_bytes, start, end) => {
    socket.pause();
    socket.resume();
    return end - start;
  };
  receive("a");
  receive("b");
  assert.deepEqual([reader.text, carrier.asked.at(-1)], ["ab", "resume"]);
});

test("a handler that goes on within a call, and takes the rest in the next, is not left waiting", () => {
  const { socket, carrier, reader, receive } = opened();
  socket.start(reader);
  let calls = 0;
  reader.take = (_bytes, start, end) => {
    calls += 1;
    if (calls > 1) return end - start;
    socket.pause();
    socket.resume();
    return 1;
  };
  receive("abc");
  receive("d");
  assert.deepEqual([reader.text, carrier.asked.at(-1)], ["abcd", "resume"]);
});

test("it closes once, later, when both halves have ended; before that each goes on without the other", async () => {
  const { socket, carrier, reader, receive } = opened();
  socket.start(reader);
  socket.end();
  receive("still coming");
  assert.deepEqual([reader.text, reader.closed], ["still coming", 0]);
  socket.receiveEnd();
  assert.equal(reader.closed, 0, "not within the call");
  await once(reader, "closed");
  socket.destroy();
  assert.deepEqual([reader.closed, carrier.asked], [1, ["end"]]);
});

test("it closes when what its carrier keeps has left, and who destroys it before breaks that off", async () => {
  for (const isPatient of [true, false]) {
    const { socket, carrier, reader } = opened();
    carrier.isFlushed = false;
    socket.start(reader);
    socket.end();
    socket.receiveEnd();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(reader.closed, 0);
    if (isPatient) socket.flushed();
    else socket.destroy();
    await once(reader, "closed");
    assert.deepEqual(carrier.asked, isPatient ? ["end"] : ["end", "cancel"]);
  }
});

test("it finishes in order: the carrier ends its half, and what still comes is nobody's", async () => {
  const { socket, carrier, reader, receive } = opened();
  socket.start(reader);
  socket.finish();
  receive("late");
  socket.receiveEnd();
  socket.destroy();
  await once(reader, "closed");
  assert.deepEqual([reader.text, reader.ended, carrier.asked], ["", false, ["finish"]]);
});

test("who destroys it as its second half ends breaks nothing off", async () => {
  const { socket, carrier, reader } = opened();
  reader.onEnd = () => socket.destroy();
  socket.start(reader);
  socket.end();
  socket.receiveEnd();
  await once(reader, "closed");
  assert.deepEqual(carrier.asked, ["end"]);
});

test("of what the carrier keeps, and has sent, the socket says what the carrier does", () => {
  const { socket, carrier } = opened();
  carrier.queuedBytes = 40_000;
  socket.write(Buffer.from("ab"), 0, 2);
  assert.deepEqual([socket.queuedBytes, socket.bytesWritten], [40_000, 0]);
  carrier.sentBytes = 1;
  assert.equal(socket.bytesWritten, 1);
});

test("a refusal tells the carrier why, and nothing is delivered after it", async () => {
  const { socket, carrier, reader, receive } = opened();
  socket.start(reader);
  socket.refuse("rbac_denied");
  receive("late");
  await once(reader, "closed");
  assert.deepEqual([reader.text, carrier.asked], ["", ["refuse rbac_denied"]]);
});
