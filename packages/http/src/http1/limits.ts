import type { NameKeeping } from "../header-names.ts";

export interface Http1Limits {
  /** Bytes of the start line and the header section, line ends included. Beyond: 431. */
  readonly maxHeadBytes: number;
  /** Fields of a header section, and of a trailer section. Beyond: 431. */
  readonly maxHeaders: number;
  /** Bytes of all chunk extensions of a message together; they are discarded, so they must stay cheap. Beyond: 400. */
  readonly maxChunkExtensionBytes: number;
  /** Bytes of the trailer section. Beyond: 431. */
  readonly maxTrailersBytes: number;
  /** Envoy's accept_http_10: without it HTTP/1.0 requests get 426. */
  readonly acceptHttp10: boolean;
  /** Envoy's enable_trailers: without it trailers are checked and dropped. */
  readonly enableTrailers: boolean;
  /** Whether the names of fields are kept as they come, so that they can be written so (Envoy's preserve_case). */
  readonly nameKeeping: NameKeeping;
}

/** Envoy's defaults, where it has them (60 KiB and 100 fields); what Node.js allows for chunk extensions (16 KiB). */
export const defaultHttp1Limits: Http1Limits = {
  maxHeadBytes: 60 * 1024,
  maxHeaders: 100,
  maxChunkExtensionBytes: 16 * 1024,
  maxTrailersBytes: 60 * 1024,
  acceptHttp10: false,
  enableTrailers: false,
  nameKeeping: "none",
};
