import assert from "node:assert/strict";
import type { FuzzTarget } from "@heddle/testkit";
import { encodeAnswer } from "../../dns/answer.ts";
import { readName } from "../../dns/name.ts";
import { dnsCode, dnsHeaderBytes, type DnsQuery, dnsType, parseQuery, read16 } from "../../dns/query.ts";
import { isReplyTo } from "../../dns/reply-match.ts";

const question = (labels: string, type = 1, counts = "0001000000000000"): Buffer =>
  Buffer.concat([
    Buffer.from(`12340100${counts}`, "hex"),
    Buffer.from(`${labels}\0\0${String.fromCharCode(type)}\0\x01`, "latin1"),
  ]);
const opt = Buffer.from("0000290200000000000000", "hex");

const addresses = [
  Buffer.alloc(4, 10),
  Buffer.alloc(16, 32),
  ...Array.from({ length: 40 }, () => Buffer.alloc(16, 33)),
];

/** What is sent for a question, or for what could be read of one. */
function assertAnswered(asked: Omit<DnsQuery, "name" | "type">, code: (typeof dnsCode)[keyof typeof dnsCode]): void {
  for (const count of [0, 1, addresses.length]) {
    const given = { code, isAuthoritative: true, addresses: addresses.slice(0, count), ttlSeconds: 5 };
    const message = encodeAnswer(asked, given, asked.udpBytes);
    assert.ok(message.length <= asked.udpBytes, "no more than the client takes");
    assert.equal(read16(message, 0), asked.id);
    assert.equal(parseQuery(message).kind, "ignored", "an answer to an answer would make a loop");
    const repeated = message.subarray(dnsHeaderBytes, dnsHeaderBytes + asked.question.length);
    assert.ok(repeated.equals(asked.question));
    const [questions, answers, , additional] = [4, 6, 8, 10].map((at) => read16(message, at));
    assert.deepEqual([questions, additional], [asked.question.length === 0 ? 0 : 1, asked.hasEdns ? 1 : 0]);
    assert.ok(
      answers === count || (answers === 0 && (read16(message, 2) & 0x0200) !== 0),
      "all, or cut off and said so",
    );
    if (asked.question.length > 0) assert.ok(isReplyTo(message, asked.id, asked));
  }
}

export const target: FuzzTarget = {
  about:
    "nothing crashes; whatever is answered is an answer to it that fits; letters' case and what stands behind change no name",
  seeds: [
    question("\x07reviews\x07default\x03svc"),
    question("\x03www\x07example\x03com", 28),
    Buffer.concat([question("\x01A", 1, "0001000000000001"), opt]),
    question(""),
    question("\xc0\x0c"),
    question("\x3fa", 1),
    Buffer.from("1234818000010001000000000161000001000101", "hex"),
    Buffer.from("123428000001000000000000", "hex"),
  ],
  dictionary: [
    "\0",
    "\x01a",
    "\x3f",
    "\x40",
    "\xc0\x0c",
    "\xff",
    "\x01.",
    "\x01\\",
    opt,
    "\0\x01\0\x01",
    "\0\x1c\0\x01",
    "\0\x01\0\0\0\0\0\x01",
  ],
  run(input) {
    const parsed = parseQuery(input);
    if (parsed.kind === "ignored") return;
    if (parsed.kind === "refused") return assertAnswered(parsed.refusal, parsed.code);
    const { query } = parsed;
    assertAnswered(query, dnsCode.noError);
    assert.deepEqual(readName(query.question, 0), { name: query.name, end: query.question.length - 4 });
    assert.ok(!/[A-Z\0- \x7f-\xff]/.test(query.name), "nothing that a log or a table could take for something else");
    const longer = parseQuery(Buffer.concat([input, Buffer.from([0])]));
    assert.equal(longer.kind, "refused", "what is not announced is no part of a question");
    const shouted = Buffer.from(input);
    const end = dnsHeaderBytes + query.question.length - 4;
    for (let at = dnsHeaderBytes; at < end; at += 1 + (shouted[at] as number))
      upperCase(shouted, at + 1, at + 1 + (shouted[at] as number));
    const heard = parseQuery(shouted);
    assert.ok(heard.kind === "query" && heard.query.name === query.name && heard.query.type === query.type);
    if (query.type === dnsType.a) assert.equal(isReplyTo(input, query.id, query), false, "a question is no answer");
  },
};

function upperCase(bytes: Buffer, start: number, end: number): void {
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] as number;
    if (byte >= 0x61 && byte <= 0x7a) bytes[at] = byte - 0x20;
  }
}
