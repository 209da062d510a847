import type { HeaderList } from "../header-list.ts";
import type { FieldSection } from "./field-section.ts";
import type { Rule } from "./violation.ts";

/** The options of a Connection field (RFC 9110 §7.6.1). */
export interface ConnectionOptions {
  readonly hasClose: boolean;
  readonly hasKeepAlive: boolean;
  readonly hasUpgrade: boolean;
}

const noOptions: ConnectionOptions = { hasClose: false, hasKeepAlive: false, hasUpgrade: false };
const close: ConnectionOptions = { hasClose: true, hasKeepAlive: false, hasUpgrade: false };
const keepAlive: ConnectionOptions = { hasClose: false, hasKeepAlive: true, hasUpgrade: false };

/** Each option is a name to look for in the message: without a limit, 60 KiB of them cost milliseconds. */
const maxConnectionLength = 1024;

/** The options of all Connection fields; undefined when there are too many. */
export function connectionOptions(section: FieldSection, headers: HeaderList): ConnectionOptions | undefined {
  if (section.connectionCount === 0) return noOptions;
  const field = headers.get("connection") ?? "";
  if (field.length > maxConnectionLength) return undefined;
  const value = field.toLowerCase();
  if (value === "keep-alive") return keepAlive;
  if (value === "close") return close;
  const options = value.split(",").map((option) => option.trim());
  return {
    hasClose: options.includes("close"),
    hasKeepAlive: options.includes("keep-alive"),
    hasUpgrade: options.includes("upgrade"),
  };
}

/** Whether the connection persists after the message (RFC 9112 §9.3). */
export function persists(versionMinor: 0 | 1, options: ConnectionOptions): boolean {
  return !options.hasClose && (versionMinor === 1 || options.hasKeepAlive);
}

/**
 * Reads a Content-Length (RFC 9110 §8.6): digits alone, no sign, no list, below 2^53.
 *
 * @returns -1 when it is invalid
 */
export function readContentLength(text: string): number {
  if (text.length === 0 || text.length > 16) return -1;
  let length = 0;
  for (let i = 0; i < text.length; i += 1) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
  }
  return length <= Number.MAX_SAFE_INTEGER ? length : -1;
}

/** Judges the joined Transfer-Encoding fields: exactly one "chunked" is understood, at the end and alone. */
export function transferEncodingRule(text: string): Rule | "" {
  if (text.length === 7 && text.toLowerCase() === "chunked") return "";
  if (text.length > 256) return "badTransferEncoding";
  const codings = text
    .toLowerCase()
    .split(",")
    .map((coding) => coding.trim());
  const isLastChunked = codings.at(-1) === "chunked";
  const hasOneChunked = codings.filter((coding) => coding === "chunked").length === 1;
  if (!isLastChunked || !hasOneChunked) return "badTransferEncoding";
  return codings.every((coding) => /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(coding))
    ? "unknownTransferCoding"
    : "badTransferEncoding";
}

/**
 * Reads a version as RFC 9112 §2.3 writes it, from the 8 bytes at `start`.
 *
 * @returns the minor version of HTTP/1.0 and HTTP/1.1, -1 for other versions, -2 for what is no version
 */
export function readVersion(bytes: Buffer, start: number): 0 | 1 | -1 | -2 {
  if (
    bytes[start] !== 0x48 ||
    bytes[start + 1] !== 0x54 ||
    bytes[start + 2] !== 0x54 ||
    bytes[start + 3] !== 0x50 ||
    bytes[start + 4] !== 0x2f ||
    bytes[start + 6] !== 0x2e
  ) {
    return -2;
  }
  const major = (bytes[start + 5] as number) - 0x30;
  const minor = (bytes[start + 7] as number) - 0x30;
  if (major === 1 && minor === 1) return 1;
  if (major === 1 && minor === 0) return 0;
  return major >= 0 && major <= 9 && minor >= 0 && minor <= 9 ? -1 : -2;
}
