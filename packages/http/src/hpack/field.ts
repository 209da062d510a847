import { nameKey } from "../header-list.ts";

/** What the dynamic table charges for an entry besides its bytes (RFC 7541 §4.1), and a header list for a field (RFC 9113 §6.5.2). */
const fieldOverhead = 32;

/**
 * One header field. The fields of the tables are handed out again and again, so what was found out about one is kept on it: a field that
 * a connection repeats in each request is judged once.
 */
export interface HpackField {
  readonly name: string;
  readonly value: string;
  /** `nameKey` of the name; 0 for an empty one. */
  readonly key: number;
  /** Octets of name and value and 32 more. */
  readonly size: number;
  /** Set by who judges fields: 0 is "not judged yet". */
  verdict: number;
}

export function makeField(name: string, value: string): HpackField {
  return {
    name,
    value,
    key: name === "" ? 0 : nameKey(name),
    size: name.length + value.length + fieldOverhead,
    verdict: 0,
  };
}
