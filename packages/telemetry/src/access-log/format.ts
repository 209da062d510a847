import { compileOperator } from "./operators.ts";
import type { Operator } from "./operators.ts";
import type { AccessLogRecord } from "./record.ts";

/** A format for the access log: one text, or a JSON object whose strings hold operators (values may nest). */
export type AccessLogFormatConfig = { readonly text: string } | { readonly json: JsonFormat };
export interface JsonFormat {
  readonly [key: string]: string | number | boolean | null | JsonFormat;
}

/** Prints records. A line of JSON ends with a line feed; a text ends as its format does. */
export interface AccessLogFormat {
  format(record: AccessLogRecord): string;
}

export type CompiledFormat =
  | { readonly format: AccessLogFormat; readonly problems: readonly [] }
  | { readonly format: undefined; readonly problems: readonly string[] };

/** Istio's default text format (pilot, `EnvoyTextLogFormat`), and ours with the resource that decided at its end. */
export const istioTextFormat =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% ' +
  '%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% ' +
  "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

/** Istio's default JSON keys. */
export const istioJsonFormat: JsonFormat = {
  start_time: "%START_TIME%",
  route_name: "%ROUTE_NAME%",
  method: "%REQ(:METHOD)%",
  path: "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
  protocol: "%PROTOCOL%",
  response_code: "%RESPONSE_CODE%",
  response_flags: "%RESPONSE_FLAGS%",
  response_code_details: "%RESPONSE_CODE_DETAILS%",
  connection_termination_details: "%CONNECTION_TERMINATION_DETAILS%",
  bytes_received: "%BYTES_RECEIVED%",
  bytes_sent: "%BYTES_SENT%",
  duration: "%DURATION%",
  upstream_service_time: "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
  x_forwarded_for: "%REQ(X-FORWARDED-FOR)%",
  user_agent: "%REQ(USER-AGENT)%",
  request_id: "%REQ(X-REQUEST-ID)%",
  authority: "%REQ(:AUTHORITY)%",
  upstream_host: "%UPSTREAM_HOST%",
  upstream_cluster: "%UPSTREAM_CLUSTER_RAW%",
  upstream_local_address: "%UPSTREAM_LOCAL_ADDRESS%",
  downstream_local_address: "%DOWNSTREAM_LOCAL_ADDRESS%",
  downstream_remote_address: "%DOWNSTREAM_REMOTE_ADDRESS%",
  requested_server_name: "%REQUESTED_SERVER_NAME%",
  upstream_transport_failure_reason: "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
};

type Parts = readonly (string | Operator)[];
type JsonNode = number | boolean | null | Parts | { readonly [key: string]: JsonNode };

/** Compiles a format once, when configuration is read. All problems are named; with any there is no format. */
export function compileAccessLogFormat(config: AccessLogFormatConfig): CompiledFormat {
  const problems: string[] = [];
  if ("text" in config) {
    const parts = parseTemplate(config.text, problems);
    if (problems.length > 0) return { format: undefined, problems };
    return { format: { format: (record) => oneLine(printText(parts, record)) }, problems: [] };
  }
  const root = compileJson(config.json, problems);
  if (problems.length > 0) return { format: undefined, problems };
  return { format: { format: (record) => `${JSON.stringify(printJson(root, record))}\n` }, problems: [] };
}

/** Envoy's grammar: `%NAME%`, `%NAME(argument)%`, `%NAME(argument):length%`; `%%` is one percent sign. */
const operatorPattern = /%%|%([A-Z_]+)(?:\(([^)]*)\))?(?::(\d+))?%|%|[^%]+/gu;

function parseTemplate(template: string, problems: string[]): Parts {
  const parts: (string | Operator)[] = [];
  for (const match of template.matchAll(operatorPattern)) {
    const [whole, name, argument, length] = match;
    if (whole === "%%") parts.push("%");
    else if (name !== undefined) {
      const compiled = compileOperator(name, argument, length === undefined ? undefined : Number(length));
      if ("problem" in compiled) problems.push(compiled.problem);
      else parts.push(compiled.operator);
    } else if (whole === "%") {
      problems.push(
        `"%" at offset ${match.index} of ${JSON.stringify(template)} starts no operator: write "%%" for a percent sign`,
      );
    } else parts.push(whole);
  }
  return parts;
}

function compileJson(format: JsonFormat, problems: string[]): { readonly [key: string]: JsonNode } {
  const compiled: Record<string, JsonNode> = {};
  for (const [key, value] of Object.entries(format)) {
    if (typeof value === "string") compiled[key] = parseTemplate(value, problems);
    else if (typeof value === "object" && value !== null) compiled[key] = compileJson(value, problems);
    else compiled[key] = value;
  }
  return compiled;
}

function printText(parts: Parts, record: AccessLogRecord): string {
  let line = "";
  for (const part of parts) line += typeof part === "string" ? part : (part(record) ?? "-");
  return line;
}

/**
 * Control characters in a path or header could forge a second line of the log (CWE-117); they print as `\xNN`. The
 * line feeds that a format itself holds at its end stay.
 */
function oneLine(line: string): string {
  const body = line.endsWith("\n") ? line.slice(0, -1) : line;
  if (!hasControl(body)) return line;
  const clean = body.replace(/[\0-\x1f\x7f]/gu, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return line.endsWith("\n") ? `${clean}\n` : clean;
}

function hasControl(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

/** A value that is one operator keeps its type: numbers stay numbers, nothing becomes null (Envoy's typed JSON). */
function printJson(node: JsonNode, record: AccessLogRecord): unknown {
  if (typeof node !== "object" || node === null) return node;
  if (!Array.isArray(node)) {
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, printJson(value, record)]));
  }
  const parts = node as Parts;
  const [only] = parts;
  if (parts.length === 1 && typeof only === "function") return only(record) ?? null;
  return printText(parts, record);
}
