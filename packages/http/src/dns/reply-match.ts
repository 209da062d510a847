import { dnsHeaderBytes, type DnsQuery, read16 } from "./query.ts";

/**
 * Whether a message is the answer to a question that was passed on under `id`: it says so, and it repeats the question byte by byte
 * (RFC 5452 §9.1). A resolver that understood nothing need not repeat it.
 */
export function isReplyTo(message: Uint8Array, id: number, { question }: Pick<DnsQuery, "question">): boolean {
  if (message.length < dnsHeaderBytes || read16(message, 0) !== id) return false;
  const flags = read16(message, 2);
  if ((flags & 0x8000) === 0) return false;
  const questions = read16(message, 4);
  if (questions === 0) return (flags & 0xf) !== 0;
  if (questions !== 1) return false;
  return Buffer.compare(message.subarray(dnsHeaderBytes, dnsHeaderBytes + question.length), question) === 0;
}
