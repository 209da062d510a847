import { readName, skipName } from "./name.ts";

/** Types and the class that this side answers itself (RFC 1035 §3.2, RFC 3596). */
export const dnsType = { a: 1, aaaa: 28, opt: 41 } as const;
const classIn = 1;

/** RFC 1035 §4.1.1; BADVERS is RFC 6891 §9. */
export const dnsCode = {
  noError: 0,
  formErr: 1,
  servFail: 2,
  nxDomain: 3,
  notImp: 4,
  refused: 5,
  badVers: 16,
} as const;

export type DnsCode = (typeof dnsCode)[keyof typeof dnsCode];

export const dnsHeaderBytes = 12;
/** Without EDNS a client takes this much by UDP (RFC 1035 §4.2.1). */
const plainUdpBytes = 512;
/** What passes without fragments nearly everywhere (DNS flag day 2020); more is not sent whatever the client offers. */
const largestUdpBytes = 1232;
/** A query has OPT and perhaps a signature; who sends more is not a client. */
const maxAdditional = 4;

/** A question that can be answered or passed on. */
export interface DnsQuery {
  readonly id: number;
  readonly recursionDesired: boolean;
  /** Lower case, without the last dot. */
  readonly name: string;
  readonly type: number;
  /** Bytes of the question in the message, which an answer repeats as they are. */
  readonly question: Uint8Array;
  /** Whether the client speaks EDNS, so that the answer does, too. */
  readonly hasEdns: boolean;
  /** Most that an answer by UDP may have. */
  readonly udpBytes: number;
}

/** What is to be done with a message. */
export type ParsedQuery =
  | { readonly kind: "query"; readonly query: DnsQuery }
  /** It is answered with this code, and as much of the question as could be read. */
  | { readonly kind: "refused"; readonly code: DnsCode; readonly refusal: Omit<DnsQuery, "name" | "type"> }
  /** Too short to be answered, or itself an answer: answering those makes loops. */
  | { readonly kind: "ignored" };

/** Reads a DNS message that somebody sent to a server. Never throws; work is bounded by the message's length. */
export function parseQuery(message: Uint8Array): ParsedQuery {
  if (message.length < dnsHeaderBytes) return { kind: "ignored" };
  const flags = read16(message, 2);
  const isResponse = (flags & 0x8000) !== 0;
  if (isResponse) return { kind: "ignored" };
  const opcode = (flags >>> 11) & 0xf;
  const common = {
    id: read16(message, 0),
    recursionDesired: (flags & 0x0100) !== 0,
    question: empty,
    hasEdns: false,
    udpBytes: plainUdpBytes,
  };
  const refuse = (code: DnsCode, found: object = {}): ParsedQuery => ({
    kind: "refused",
    code,
    refusal: { ...common, ...found },
  });
  if (opcode !== 0) return refuse(dnsCode.notImp);
  const [questions, answers, authorities, additional] = [4, 6, 8, 10].map((at) => read16(message, at));
  if (questions !== 1 || answers !== 0 || authorities !== 0) return refuse(dnsCode.formErr);
  const named = readName(message, dnsHeaderBytes);
  if (named === undefined || named.end + 4 > message.length) return refuse(dnsCode.formErr);
  const question = message.subarray(dnsHeaderBytes, named.end + 4);
  const edns = readEdns(message, named.end + 4, additional ?? 0);
  if (edns === undefined) return refuse(dnsCode.formErr, { question });
  const { hasEdns, udpBytes, version } = edns;
  if (version > 0) return refuse(dnsCode.badVers, { question, hasEdns, udpBytes });
  if (read16(message, named.end + 2) !== classIn) return refuse(dnsCode.refused, { question, hasEdns, udpBytes });
  const type = read16(message, named.end);
  return { kind: "query", query: { ...common, name: named.name, type, question, hasEdns, udpBytes } };
}

const empty = new Uint8Array(0);

interface Edns {
  readonly hasEdns: boolean;
  readonly udpBytes: number;
  readonly version: number;
}

/** The OPT record, if there is one (RFC 6891 §6.1): owner, type, class = size, TTL = code, version, flags. Undefined: malformed, or two. */
function readEdns(message: Uint8Array, start: number, records: number): Edns | undefined {
  if (records > maxAdditional) return undefined;
  let found: Edns | undefined;
  let at = start;
  for (let index = 0; index < records; index++) {
    const end = skipName(message, at);
    if (end === undefined || end + 10 > message.length) return undefined;
    const next = end + 10 + read16(message, end + 8);
    if (next > message.length) return undefined;
    if (read16(message, end) === dnsType.opt) {
      if (found !== undefined || message[at] !== 0) return undefined;
      const udpBytes = Math.min(Math.max(read16(message, end + 2), plainUdpBytes), largestUdpBytes);
      found = { hasEdns: true, udpBytes, version: message[end + 5] ?? 0 };
    }
    at = next;
  }
  if (at !== message.length) return undefined;
  return found ?? { hasEdns: false, udpBytes: plainUdpBytes, version: 0 };
}

export function read16(message: Uint8Array, at: number): number {
  return ((message[at] ?? 0) << 8) | (message[at + 1] ?? 0);
}
