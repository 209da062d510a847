import { createHash } from "node:crypto";

/** What differs from run to run, whoever sends it. */
const varying: Readonly<Record<string, string>> = {
  date: "(a date)",
  "x-request-id": "(an id)",
  "x-envoy-upstream-service-time": "(milliseconds)",
};
/** Of the connection and its framing, not of the message. */
const framing = new Set(["connection", "keep-alive", "transfer-encoding", "http2-settings"]);

/** One entry for each field, names in lower case, ports of this machine left out. */
export function fieldsSeen(
  prefix: string,
  fields: readonly (readonly [name: string, value: string])[],
): Record<string, string> {
  const seen: Record<string, string> = {};
  for (const [field, value] of fields) {
    const name = field.toLowerCase();
    if (framing.has(name)) continue;
    const key = `${prefix} ${name}`;
    const text = varying[name] ?? shortened(value.replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1:PORT"));
    seen[key] = seen[key] === undefined ? text : `${seen[key]}; ${text}`;
  }
  return seen;
}

/** The text itself when it is short, else its size and hash. */
export function shortened(text: string): string {
  if (text.length <= 60) return text.replaceAll(/\s+/g, " ").trim();
  return `${text.length} bytes, ${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
}

/** What the application's `/echo` says that it got. */
export function requestSeen(body: string): Record<string, string> {
  const { headers, authority, ...rest } = JSON.parse(body) as {
    headers: Record<string, string>;
    trailers: Record<string, string>;
    authority: string;
  };
  const { host: _, ...others } = headers;
  return {
    "request body and line": JSON.stringify({ ...rest, trailers: undefined }),
    ...fieldsSeen("request", [["authority", authority], ...Object.entries(others)]),
    ...fieldsSeen("request trailer", Object.entries(rest.trailers)),
  };
}

/** What a call ended in, with the field whose value differs each time apart. */
export function grpcSeen(result: object): Record<string, string> {
  const seen: Record<string, string> = {};
  const text = JSON.stringify(result, (name, value: unknown) => {
    const always = varying[name];
    if (always === undefined) return value;
    seen[`answer field ${name}`] = always;
    return undefined;
  });
  return { ...seen, result: text };
}
