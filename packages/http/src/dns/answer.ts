import { type DnsCode, dnsHeaderBytes, type DnsQuery, dnsType } from "./query.ts";

/** The pointer to the name in the question (RFC 1035 §4.1.4). */
const questionName = 0xc000 | dnsHeaderBytes;
const optBytes = 11;
const serverUdpBytes = 1232;

export interface DnsAnswer {
  readonly code: DnsCode;
  /** The server knows: nobody else is asked. */
  readonly isAuthoritative: boolean;
  /** Bytes of the addresses, 4 or 16 each. */
  readonly addresses: readonly Uint8Array[];
  readonly ttlSeconds: number;
}

/**
 * The message that answers a query.
 *
 * @param limit most bytes that it may have; an answer that does not fit is sent without its addresses and marked as cut off, so that the
 *   client asks again by TCP (RFC 1035 §4.2.1, RFC 7766 §5)
 */
export function encodeAnswer(
  query: Pick<DnsQuery, "id" | "recursionDesired" | "question" | "hasEdns">,
  answer: DnsAnswer,
  limit: number,
): Buffer {
  const { code, isAuthoritative, ttlSeconds } = answer;
  const fixed = dnsHeaderBytes + query.question.length + (query.hasEdns ? optBytes : 0);
  const needed = answer.addresses.reduce((sum, { length }) => sum + 12 + length, fixed);
  const isTruncated = needed > limit;
  const addresses = isTruncated ? [] : answer.addresses;
  const message = Buffer.alloc(isTruncated ? fixed : needed);
  message.writeUInt16BE(query.id, 0);
  const isSet = (condition: boolean, bit: number): number => (condition ? bit : 0);
  // QR and RA: an answer, from a server that asks others for its clients.
  const bits = isSet(isAuthoritative, 0x0400) | isSet(isTruncated, 0x0200) | isSet(query.recursionDesired, 0x0100);
  message.writeUInt16BE(0x8080 | bits | (code & 0xf), 2);
  message.writeUInt16BE(query.question.length === 0 ? 0 : 1, 4);
  message.writeUInt16BE(addresses.length, 6);
  message.writeUInt16BE(query.hasEdns ? 1 : 0, 10);
  message.set(query.question, dnsHeaderBytes);
  let at = dnsHeaderBytes + query.question.length;
  for (const address of addresses) {
    at = message.writeUInt16BE(questionName, at);
    at = message.writeUInt16BE(address.length === 4 ? dnsType.a : dnsType.aaaa, at);
    at = message.writeUInt16BE(1, at);
    at = message.writeUInt32BE(ttlSeconds, at);
    at = message.writeUInt16BE(address.length, at);
    message.set(address, at);
    at += address.length;
  }
  if (query.hasEdns) {
    // The root, OPT, our own size, the upper bits of the code, version 0, no flags, no options.
    message.writeUInt16BE(dnsType.opt, at + 1);
    message.writeUInt16BE(serverUdpBytes, at + 3);
    message.writeUInt8(code >>> 4, at + 5);
  }
  return message;
}
