import { isUtf8 } from "node:buffer";
import type { TapDirection } from "./config.ts";

/** One side of a request. What is not known is left out, here and below. */
export interface TapPeer {
  readonly address?: string | undefined;
  /** SPIFFE ID: of a peer the verified one, of this proxy's own side that of its workload. */
  readonly identity?: string | undefined;
  /** `TLSv1.3`. */
  readonly tls?: string | undefined;
}

/** What every event of a request says. */
export interface TapRequest {
  /** The same in all events of a request. */
  readonly id: string;
  readonly direction: TapDirection;
  readonly source: TapPeer;
  readonly destination: TapPeer;
  readonly route?: string | undefined;
  readonly cluster?: string | undefined;
  /** The one that was tried last. */
  readonly endpoint?: string | undefined;
}

/** Name and value, in their order; values that are secrets are `[redacted]`. */
export type TapHeaders = readonly (readonly [name: string, value: string])[];

export type TapEvent =
  | (TapRequest & {
      readonly event: "request-start";
      /** When it began, by the wall clock, in RFC 3339. */
      readonly time: string;
      readonly method: string;
      /** As the client sent it. */
      readonly path: string;
      /** As the endpoint gets it, where that is another. */
      readonly rewrittenPath?: string | undefined;
      readonly authority: string;
      readonly scheme: string;
      readonly protocol: string;
      readonly headers: TapHeaders;
    })
  | (TapRequest & {
      readonly event: "response-head";
      readonly status: number;
      /** Microseconds since the request began. */
      readonly latencyUs: number;
      readonly headers: TapHeaders;
    })
  | (TapRequest & {
      readonly event: "request-end";
      /** Left out: there was no response. */
      readonly status?: number | undefined;
      readonly grpcStatus?: number | undefined;
      readonly durationUs: number;
      /** Bytes of the bodies. */
      readonly requestBytes: number;
      readonly responseBytes: number;
      /** As in Envoy's access log: `UF`, `DC` … */
      readonly flags: readonly string[];
      readonly details?: string | undefined;
      readonly decidedBy?: string | undefined;
      /** How often it was sent to an endpoint. */
      readonly attempts: number;
    })
  | ({ readonly event: "omitted" } & TapOmissions)
  | ({ readonly event: "tap-end"; readonly reason: TapEndReason } & TapOmissions);

/** What was not shown: since the last such event, or in all at the tap's end. */
export interface TapOmissions {
  /** Lost, because they were read too slowly. */
  readonly omittedEvents: number;
  /** Not shown, because there were more than `maxRps` in a second. */
  readonly omittedRequests: number;
}

/** `hand-over`: another proxy has taken over (hot restart); `worker-lost`: a thread crashed, and with it what it had to tell. */
export type TapEndReason = "max-events" | "max-seconds" | "hand-over" | "proxy-ends" | "worker-lost";

/** An event as a line of JSON. */
export function formatTapEvent(event: TapEvent): string {
  return `${JSON.stringify(event)}\n`;
}

/** Fields that carry what authenticates somebody, by a word of their names: rather one too many than one too few. */
const secretName =
  /(^|[-_.])(auth|authorization|assertion|cookie|cookies|credential|credentials|jwt|passphrase|passwd|password|pwd|secret|session|signature|token)([-_.]|$)|cookie$|token$|secret$|password$|sess(ion)?id$|(api|access|private|subscription|functions)[-_]?key/;

/**
 * Secrets that stand in a URL, wherever one is quoted: parameters like `access_token` (RFC 6750 §2.3) or `accessToken`, also of the fragment (RFC 6749
 * §4.2.2) and of the path, and a password before the host.
 */
const secretParameter =
  /(^|[-_.])(assertion|auth|code|credential|jwt|key|passphrase|passwd|pwd|session|sig|signature)$|(password|secret|token|sess(ion)?id|(api|access|private|subscription)key)$/i;
/** What begins a parameter, its name and the sign behind it, also as they stand encoded in a parameter that is a URL itself. */
const parameterName = /(?:[?&;#]|%(?:3[FB]|26|23))((?:(?!%(?:3[FBD]|26|23))[^=&#?;\s])*)(=|%3D)/gi;
const endOfValue = /[&#\s"']|$/g;
const endOfEncodedValue = /[&#\s"']|%26|%23|$/g;
const userInUrl = /(:\/\/)[^/?#\s"']+@/g;

/** Headers as a tap may show them. */
export function shownHeaders(headers: {
  readonly length: number;
  nameAt(index: number): string;
  valueAt(index: number): string;
}): TapHeaders {
  return Array.from({ length: headers.length }, (_, index) => {
    const name = headers.nameAt(index);
    return [name, secretName.test(name) ? redacted : shownText(headers.valueAt(index))] as const;
  });
}

/** Text of the wire: secrets of URLs are left out, and what is UTF-8 is read as such. */
export function shownText(text: string): string {
  const shown = withoutSecretParameters(text).replace(userInUrl, `$1${redacted}@`);
  if (!/[\x80-\xff]/.test(shown)) return shown;
  const bytes = Buffer.from(shown, "latin1");
  return isUtf8(bytes) ? bytes.toString("utf8") : shown;
}

function withoutSecretParameters(text: string): string {
  let shown = "";
  let from = 0;
  for (const { index, 0: beginning, 1: name = "", 2: equals } of text.matchAll(parameterName)) {
    const start = index + beginning.length;
    // Within a value that is left out already, or a name that is told as it is.
    if (index < from || !secretParameter.test(decoded(name))) continue;
    const end = equals === "=" ? endOfValue : endOfEncodedValue;
    end.lastIndex = start;
    const until = end.exec(text)?.index ?? text.length;
    if (until === start) continue;
    shown += text.slice(from, start) + redacted;
    from = until;
  }
  return shown + text.slice(from);
}

/** A server decodes names before it compares them (RFC 3986 §2.1); what is no octet stays as it is. */
function decoded(name: string): string {
  return name.replace(/%([0-9a-f]{2})/gi, (_, octet: string) => String.fromCharCode(Number.parseInt(octet, 16)));
}

const redacted = "[redacted]";
