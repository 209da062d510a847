import type { ConnectionView } from "./connection.ts";
import { headerReader, type RequestView } from "./header-matcher.ts";
import type { MutableHeaders } from "./headers.ts";
import { formatHostPort } from "./ip-address.ts";

/** What formats can name; a `RequestRecord` has it. */
export interface FormatView extends RequestView {
  readonly connection: ConnectionView;
  readonly remoteHost: string;
  readonly remotePort: number;
  readonly clusterName: string;
  readonly route: { readonly name: string } | undefined;
  readonly endpoint: { readonly address: string } | undefined;
}

/** One piece of a format; empty where there is nothing to say (header formatters omit empty values). */
type Piece = (req: FormatView, response: MutableHeaders | undefined) => string;

type Operator = Piece | { readonly problem: string };

/** A compiled header value. */
export interface HeaderFormat {
  /** The text itself when it holds no operator. */
  readonly constant: string | undefined;
  format(req: FormatView, response: MutableHeaders | undefined): string;
}

const simple: Readonly<Record<string, Piece>> = {
  DOWNSTREAM_REMOTE_ADDRESS: (req) => formatHostPort(req.remoteHost, req.remotePort),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: (req) => req.remoteHost,
  DOWNSTREAM_REMOTE_PORT: (req) => String(req.remotePort),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: (req) =>
    formatHostPort(req.connection.directRemoteAddress.host, req.connection.directRemoteAddress.port),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: (req) => req.connection.directRemoteAddress.host,
  DOWNSTREAM_DIRECT_REMOTE_PORT: (req) => String(req.connection.directRemoteAddress.port),
  DOWNSTREAM_LOCAL_ADDRESS: (req) => formatHostPort(req.connection.localAddress.host, req.connection.localAddress.port),
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: (req) => req.connection.localAddress.host,
  DOWNSTREAM_LOCAL_PORT: (req) => String(req.connection.localAddress.port),
  DOWNSTREAM_PEER_URI_SAN: (req) => req.connection.peer?.uriSans.join(",") ?? "",
  DOWNSTREAM_PEER_DNS_SAN: (req) => req.connection.peer?.dnsSans.join(",") ?? "",
  DOWNSTREAM_PEER_SUBJECT: (req) => req.connection.peer?.subject ?? "",
  DOWNSTREAM_PEER_FINGERPRINT_256: (req) => req.connection.peer?.sha256 ?? "",
  DOWNSTREAM_LOCAL_URI_SAN: (req) => req.connection.localPrincipal,
  REQUESTED_SERVER_NAME: (req) => req.connection.sni,
  ROUTE_NAME: (req) => req.route?.name ?? "",
  UPSTREAM_CLUSTER: (req) => req.clusterName,
  UPSTREAM_HOST: (req) => req.endpoint?.address ?? "",
};

/** `NAME(argument):length`. */
const operatorShape = /^([A-Z_0-9]+)(?:\(([^()]*)\))?(?::([0-9]+))?$/;

function operator(text: string): Operator {
  const [, name = "", argument, length] = operatorShape.exec(text) ?? [];
  const limit = length === undefined ? Number.POSITIVE_INFINITY : Number(length);
  if (name === "REQ" || name === "REQUEST_HEADER" || name === "RESP" || name === "RESPONSE_HEADER") {
    const [first = "", second] = (argument ?? "").toLowerCase().split("?");
    if (first === "") return { problem: `%${text}% names no header` };
    return name.startsWith("REQ") ? requestHeader(first, second, limit) : responseHeader(first, second, limit);
  }
  const piece = simple[name];
  if (piece === undefined || argument !== undefined || length !== undefined) {
    return { problem: `the operator %${text}% is not supported in header values` };
  }
  return piece;
}

function requestHeader(first: string, second: string | undefined, limit: number): Piece {
  const read = headerReader(first);
  const readSecond = second === undefined ? undefined : headerReader(second);
  return (req) => (read(req) ?? readSecond?.(req) ?? "").slice(0, limit);
}

function responseHeader(first: string, second: string | undefined, limit: number): Piece {
  return (_req, response) => {
    const value = response?.get(first) ?? (second === undefined ? undefined : response?.get(second));
    return (value ?? "").slice(0, limit);
  };
}

function parse(text: string): (string | Piece)[] | { readonly problem: string } {
  const pieces: (string | Piece)[] = [];
  let literal = "";
  for (let at = 0; at < text.length; ) {
    if (text[at] !== "%") {
      literal += text[at++];
      continue;
    }
    if (text[at + 1] === "%") {
      literal += "%";
      at += 2;
      continue;
    }
    const end = text.indexOf("%", at + 1);
    if (end === -1) return { problem: "a % sign opens an operator that is not closed (write %% for a percent sign)" };
    const piece = operator(text.slice(at + 1, end));
    if (typeof piece !== "function") return piece;
    if (literal !== "") pieces.push(literal);
    literal = "";
    pieces.push(piece);
    at = end + 1;
  }
  if (literal !== "") pieces.push(literal);
  return pieces;
}

/** What is wrong with a header value as a format, or undefined. */
export function formatProblem(text: string): string | undefined {
  const parsed = parse(text);
  return Array.isArray(parsed) ? undefined : parsed.problem;
}

/** Compiles a value that {@link formatProblem} found no fault with. */
export function compileHeaderFormat(text: string): HeaderFormat {
  const pieces = parse(text);
  if (!Array.isArray(pieces)) throw new RangeError(pieces.problem);
  if (pieces.every((piece) => typeof piece === "string")) {
    const constant = pieces.join("");
    return { constant, format: () => constant };
  }
  return {
    constant: undefined,
    format: (req, response) => {
      let out = "";
      for (const piece of pieces) out += typeof piece === "string" ? piece : piece(req, response);
      return out;
    },
  };
}
