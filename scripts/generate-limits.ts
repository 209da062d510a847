/**
 * Writes docs/reference/limits.md: every limit of the proxy, its default from the constant that holds it, what happens at it, and which counter
 * says so. With --check it writes nothing and exits 1 when the page is another. In both modes it fails when a counter is not
 * in the source, or a test that proves a row does not exist.
 */
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defaultBufferBytes } from "../packages/engine/src/load/core-types.ts";
import { defaultHttp1Limits, defaultHttp2Limits } from "../packages/http/src/index.ts";
import {
  defaultMaxConnections,
  defaultMaxListenerConnections,
  defaultOverload,
} from "../packages/proxy/src/overload/config.ts";
import { maxWaitingCharacters } from "../packages/proxy/src/tap/shared-tap.ts";
import { maxTaps } from "../packages/proxy/src/tap/taps.ts";
import { maxWaitingBytes } from "../packages/proxy/src/worker/access-logs.ts";
import { maxReplayBytes } from "../packages/proxy/src/worker/exchange.ts";
import { maxActive as maxMirrors } from "../packages/proxy/src/worker/mirror.ts";
import { defaultHandshakeMs } from "../packages/proxy/src/worker/pending-connection.ts";
import { writeOrCheckPage } from "./generated-page.ts";
import { TestProofs } from "./test-proofs.ts";

interface Row {
  readonly what: string;
  readonly value: string;
  /** The field or flag that sets it; empty: none. */
  readonly field: string;
  readonly answer: string;
  /** Statistic, without its prefix; undefined: none. */
  readonly counter?: string;
  /** File below packages/ and title of a test; undefined: no test of its own. */
  readonly proof?: string;
}

const h2 = defaultHttp2Limits;
const overloadTest = "proxy/src/worker/overload.test.ts";
const timeouts = "proxy/src/worker/timeouts.test.ts";
const tapTest = "proxy/src/tap/tap.test.ts";
const upstreamLimits = "proxy/src/worker/upstream-limits.test.ts";
const malformed = "http/src/http1/malformed-requests.test.ts";

const sections: readonly { readonly title: string; readonly rows: readonly Row[] }[] = [
  {
    title: "Connections of clients",
    rows: [
      {
        what: "connections of one listener, of all workers",
        value: count(defaultMaxListenerConnections),
        field: "runtime `envoy.resource_limits.listener.<name>.connection_limit`",
        answer: "accepted and closed at once",
        counter: "downstream_cx_overflow",
        proof: `${overloadTest} › a listener's limit of connections holds for all workers together, and is given back`,
      },
      {
        what: "connections of all listeners",
        value: count(defaultMaxConnections),
        field: "monitor `downstream_connections`; runtime `overload.global_downstream_max_connections`",
        answer: "accepted and closed at once, but where a listener says `ignore_global_conn_limit`",
        counter: "downstream_global_cx_overflow",
        proof: `${overloadTest} › all listeners share one limit of connections, but for one that ignores it`,
      },
      {
        what: "connections of one filter chain",
        value: "none",
        field: "filter `connection_limit`",
        answer: "closed, after `delay`",
        counter: "envoy_connection_limit_limited_connections",
        proof: `${overloadTest} › connections of a filter chain above its limit are closed, after the delay that it names`,
      },
      {
        what: "TLS handshake",
        value: seconds(defaultHandshakeMs),
        field: "`transport_socket_connect_timeout`",
        answer: "closed",
        counter: "downstream_cx_transport_socket_connect_timeout",
        proof:
          "proxy/src/worker/listener-settings.test.ts › a handshake that does not end within transport_socket_connect_timeout ends its connection",
      },
      {
        what: "first bytes for listener filters",
        value: "15 s",
        field: "`listener_filters_timeout`",
        answer: "closed, or on without them (`continue_on_listener_filters_timeout`)",
        counter: "downstream_pre_cx_timeout",
        proof:
          "proxy/src/worker/listener-settings.test.ts › a client that says nothing to be inspected is given up after listener_filters_timeout, or served where the listener goes on",
      },
      {
        what: "silence of a connection without requests",
        value: "1 h, Envoy's",
        field: "`common_http_protocol_options.idle_timeout`",
        answer: "closed; HTTP/2: GOAWAY",
        counter: "downstream_cx_idle_timeout",
        proof: `${timeouts} › a connection without requests is closed after its idle time`,
      },
      {
        what: "life of a connection",
        value: "none, Envoy's",
        field: "`common_http_protocol_options.max_connection_duration`",
        answer: "its next response is the last; HTTP/2: GOAWAY",
        counter: "downstream_cx_max_duration_reached",
        proof: `${timeouts} › a connection that has lived long enough ends, \${what}`,
      },
      {
        what: "requests of one connection",
        value: "none, Envoy's",
        field: "`common_http_protocol_options.max_requests_per_connection`",
        answer: "the last response says so; HTTP/2: GOAWAY",
        counter: "downstream_cx_max_requests_reached",
        proof: `${timeouts} › the last request that a connection may carry is told so`,
      },
      {
        what: "a client that does not close behind the last word",
        value: "1 s, Envoy's",
        field: "`delayed_close_timeout`",
        answer: "cut off",
        counter: "downstream_cx_delayed_close_timeout",
        proof: `${timeouts} › a client that does not close after the last word is cut off: \${what}`,
      },
      {
        what: "bytes on the way to a slow client",
        value: bytes(defaultBufferBytes),
        field: "`per_connection_buffer_limit_bytes` of listener and cluster",
        answer: "the upstream is not read until it is less",
        counter: "upstream_flow_control_paused_reading_total",
        proof:
          "proxy/src/worker/backpressure.test.ts › an upstream waits for a client that does not read, and the client gets everything when it does",
      },
      {
        what: "bytes on the way to a slow upstream",
        value: bytes(defaultBufferBytes),
        field: "`per_connection_buffer_limit_bytes` of listener and cluster",
        answer: "the client is not read until it is less",
        counter: "downstream_flow_control_paused_reading_total",
        proof:
          "proxy/src/worker/backpressure.test.ts › a client waits for an upstream that does not read, and the upstream gets everything when it does",
      },
      {
        what: "answers to pipelined requests that their client does not read",
        value: `${bytes(defaultBufferBytes)}, and one answer`,
        field: "`per_connection_buffer_limit_bytes` of the listener",
        answer: "the next request waits; closed when nothing is read for as long as a stream may be silent",
        counter: "envoy_http1_response_flood",
        proof: `proxy/src/attacks/unread-answers.test.ts › pipelined requests whose answers are not read are not begun beyond one buffer of answers: \${what}`,
      },
    ],
  },
  {
    title: "Requests",
    rows: [
      {
        what: "request head",
        value: bytes(defaultHttp1Limits.maxHeadBytes),
        field: "`max_request_headers_kb`",
        answer: "431, and the connection (HTTP/2: the stream) ends",
        counter: "downstream_cx_protocol_error",
        proof: `${malformed} › refuses \${title}`,
      },
      {
        what: "header fields, each crumb of a cookie counted",
        value: count(defaultHttp1Limits.maxHeaders),
        field: "`common_http_protocol_options.max_headers_count`",
        answer: "431, and the connection (HTTP/2: the stream) ends",
        counter: "downstream_cx_protocol_error",
        proof: "http/src/http2/flood-guard.test.ts › crumbs of a cookie are counted one by one",
      },
      {
        what: "time for a head",
        value: "as long as a stream may be silent",
        field: "`request_headers_timeout`",
        answer: "408 and closed; HTTP/2: GOAWAY",
        counter: "downstream_rq_timeout",
        proof: `${timeouts} › a head that is begun and not finished in time: 408 and the end`,
      },
      {
        what: "time for a whole request",
        value: "none, which is what its absence means in Envoy; 300 s at the edge of a LocalMesh",
        field: "`request_timeout`",
        answer: "408 and closed",
        counter: "downstream_rq_timeout",
        proof: `${timeouts} › a body that does not come in time: 408, and the upstream is given up`,
      },
      {
        what: "silence of a stream",
        value: "300 s",
        field: "`stream_idle_timeout`, the route's `idle_timeout`",
        answer: "408 while the client is to speak, else 504; a response that has begun is broken off",
        counter: "downstream_rq_idle_timeout",
        proof: `${timeouts} › a client that stops in its body for too long: 408`,
      },
      {
        what: "bodies",
        value: "no limit: they are passed on as they come",
        field: "",
        answer: "a slow side stops the other, see above",
        proof:
          "proxy/src/worker/backpressure.test.ts › a client waits for an upstream that does not read, and the upstream gets everything when it does",
      },
      {
        what: "body kept for retries and mirrors",
        value: bytes(maxReplayBytes),
        field: "",
        answer: "no retry, no mirror",
        counter: "heddle_body_not_replayable",
        proof:
          "proxy/src/worker/request-body.test.ts › a body longer than the limit is sent once and can no longer be repeated",
      },
      {
        what: "copies to mirrors in progress, of one worker",
        value: count(maxMirrors),
        field: "",
        answer: "not sent",
        counter: "heddle_mirrors_skipped_total",
      },
    ],
  },
  {
    title: "HTTP/2",
    rows: [
      {
        what: "streams of one connection",
        value: count(h2.maxConcurrentStreams),
        field: "`max_concurrent_streams`",
        answer: "the stream is refused (REFUSED_STREAM), and may be tried again",
        counter: "stream_refused_errors",
        proof: "http/src/http2/flood-guard.test.ts › streams above the limit are refused, and may be tried again",
      },
      {
        what: "window of a stream, of a connection",
        value: `${bytes(h2.streamWindowBytes)}, ${bytes(h2.connectionWindowBytes)}`,
        field: "`initial_stream_window_size`, `initial_connection_window_size`",
        answer: "more resets the stream, or ends the connection",
        counter: "http2_violations_total",
        proof:
          "http/src/http2/flow-control.test.ts › more than a stream's window resets the stream, more than the connection's ends it",
      },
      {
        what: "octets of one header block before its end",
        value: bytes(h2.maxHeaderBlockBytes),
        field: "",
        answer: "the connection ends",
        counter: "http2_violations_total",
        proof:
          "proxy/src/attacks/http2-memory.test.ts › a header block without an end is cut off before it has one (CVE-2024-27316)",
      },
      {
        what: "frames, control frames, octets of heads waiting for a peer that does not read",
        value: `${count(h2.maxOutboundFrames)}, ${count(h2.maxOutboundControlFrames)}, ${bytes(h2.maxOutboundBytes)}`,
        field: "`max_outbound_frames`, `max_outbound_control_frames`",
        answer: "the connection ends",
        counter: "http2_violations_total",
        proof:
          "http/src/http2/flood-guard.test.ts › answers that are not read are cut off by outboundFlood, and not before its limit",
      },
      {
        what: "empty frames in a row, PRIORITY frames a stream, WINDOW_UPDATE frames a DATA frame",
        value: `${h2.maxConsecutiveEmptyFrames}, ${h2.maxPriorityFramesPerStream}, ${h2.maxWindowUpdatesPerDataFrame}`,
        field:
          "`max_consecutive_inbound_frames_with_empty_payload`, `max_inbound_priority_frames_per_stream`, `max_inbound_window_update_frames_per_data_frame_sent`",
        answer: "the connection ends",
        counter: "http2_violations_total",
        proof: "proxy/src/attacks/http2-limits.test.ts › floods are cut off where the configuration says",
      },
      {
        what: "resets, our own included: at once, and a second after that",
        value: `${count(h2.resetBurst)}, ${h2.resetsPerSecond}`,
        field: "",
        answer: "the connection ends",
        counter: "http2_violations_total",
        proof:
          "proxy/src/attacks/http2-resets.test.ts › a client that goes on resetting what it has had answers to spends its tokens, and no more",
      },
      {
        what: `streams of which half are reset within ${seconds(h2.prematureResetMs)}`,
        value: count(h2.prematureResetStreams),
        field: "",
        answer: "the connection ends",
        counter: "http2_violations_total",
        proof:
          "proxy/src/attacks/http2-resets.test.ts › requests that are reset at once end the connection when they can no longer be less than half of 500",
      },
      {
        what: "resets of the proxy's own on one connection to an upstream: in all, and of requests without an answer",
        value: "half of what a server takes",
        field: "",
        answer: "the connection takes no more requests, and another one is made",
        proof:
          "http/src/http2/flood-guard.test.ts › a client has reset enough on a connection long before its peer has",
      },
    ],
  },
  {
    title: "Memory and work of the whole proxy",
    rows: [
      ...defaultOverload.actions.map(({ action, triggers: [trigger] }): Row => {
        const name = action.replace("envoy.overload_actions.", "");
        return {
          what: `memory, for the action \`${name}\`: the fullest heap of a thread, or the process beside its control group's limit`,
          value: trigger?.kind === "threshold" ? `${Math.round(trigger.value * 100)} %` : "",
          field: "`overload_manager`, which replaces all of these",
          ...answersOf()[name]!,
        };
      }),
      {
        what: "silence of a worker",
        value: "10 s",
        field: "",
        answer: "it is replaced; its requests end as `worker_lost`",
        counter: "heddle_requests_ended_total",
        proof: "proxy/src/generation/worker-pool.test.ts › a worker that does not beat is seen, ended and reported",
      },
      {
        what: "access log waiting to be written, of one file and worker",
        value: bytes(maxWaitingBytes),
        field: "",
        answer: "lines are dropped, and the proxy's log says how many",
        counter: "heddle_access_log_lines_lost_total",
        proof:
          "proxy/src/worker/access-logs.test.ts › lines above the limit of what may wait are dropped and counted, and those below it are written",
      },
      {
        what: "taps at a time",
        value: String(maxTaps),
        field: "",
        answer: "429",
        proof: `${tapTest} › so many taps may be open, and one whose reader goes away makes room`,
      },
      {
        what: "events of a tap waiting to be read",
        value: bytes(maxWaitingCharacters),
        field: "",
        answer: "events are left out, and the reader is told how many",
        proof: `${tapTest} › a reader that is slow loses events, is told how many, and holds up no request`,
      },
      {
        what: "series of metrics, of one worker",
        value: "20,000",
        field: "",
        answer: 'labels of new ones become `overflow="true"`',
        proof:
          "telemetry/src/metrics/metrics.test.ts › past the limit of series the labels fold into one and no count is lost",
      },
      {
        what: "generations that drain after hot restarts",
        value: "3",
        field: "",
        answer: "the next hand-over waits",
        proof:
          "proxy/src/supervisor/hot-restart.test.ts › a fourth hand-over waits until one of three draining generations is gone",
      },
    ],
  },
  {
    title: "Endpoints",
    rows: [
      {
        what: "connections, waiting requests, requests and retries of a cluster, of all workers",
        value: "1,024, 1,024, 1,024, 3: Envoy's",
        field: "`circuit_breakers`",
        answer: "503 with flag UO; a retry is not made",
        counter: "upstream_rq_pending_overflow",
        proof:
          "proxy/src/worker/shared-limits.test.ts › a cluster's limit of requests holds for all workers together, and a worker that is lost gives back what it held",
      },
      {
        what: "response head",
        value: bytes(defaultHttp1Limits.maxHeadBytes),
        field: "",
        answer: "502",
        counter: "upstream_cx_protocol_error",
        proof: `${upstreamLimits} › a response head above the limit is answered with 502, and counted`,
      },
      {
        what: "time for making a connection, TLS included",
        value: "5 s, Envoy's",
        field: "`connect_timeout`",
        answer: "503 with flag UF, or another endpoint where the route retries",
        counter: "upstream_cx_connect_timeout",
        proof: `${upstreamLimits} › connections that are not made in time are counted, those of requests and those of relays`,
      },
      {
        what: "retries of one request",
        value: "none",
        field: "`num_retries` of the route's `retry_policy`",
        answer: "the last failure is the answer, with flag URX",
        counter: "upstream_rq_retry_limit_exceeded",
        proof:
          "proxy/src/worker/retries.test.ts › an endpoint that refuses connections is tried as often as the policy says, whatever the method",
      },
    ],
  },
];

function answersOf(): Record<string, Pick<Row, "answer" | "counter" | "proof">> {
  return {
    shrink_heap: {
      answer: "each thread collects garbage, at most every 10 s",
      counter: "shrink_count",
      proof: `${overloadTest} › a heap that is to shrink is collected, and requests are served`,
    },
    disable_http_keepalive: {
      answer: "HTTP/1.1 connections end with their next response",
      counter: "downstream_cx_overload_disable_keepalive",
      proof: `${overloadTest} › disable_http_keepalive ends HTTP/1.1 connections with their response`,
    },
    stop_accepting_requests: {
      answer: "503 with flag OM; gRPC: UNAVAILABLE",
      counter: "downstream_rq_overload_close",
      proof: `${overloadTest} › stop_accepting_requests answers 503 with flag OM before anything is done, to gRPC callers in their words`,
    },
  };
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}

function bytes(value: number): string {
  return value >= 1024 * 1024 ? `${value / 1024 / 1024} MiB` : `${value / 1024} KiB`;
}

function requireTrue(): void {
  const root = new URL("../packages/", import.meta.url);
  const proofs = TestProofs.below(root);
  const sources = globSync("*/src/**/*.ts", { cwd: fileURLToPath(root) })
    .filter((file) => !file.endsWith(".test.ts"))
    .map((file) => readFileSync(new URL(file, root), "utf8"));
  for (const { what, counter, proof } of sections.flatMap(({ rows }) => rows)) {
    const problem = proof === undefined ? undefined : proofs.problem(proof);
    if (problem !== undefined) throw new Error(`${what}: ${problem}`);
    if (
      counter !== undefined &&
      !sources.some((text) => text.includes(`"${counter}"`) || text.includes(`${counter}\``))
    )
      throw new Error(`${what}: nothing counts ${counter}`);
  }
}

function render(): string {
  const lines = [
    "# Limits",
    "",
    "<!-- Generated by scripts/generate-limits.ts from the constants of the proxy. Do not edit. -->",
    "",
    "Everything that the proxy holds has a limit, also where nobody configured one: the defaults are those that Envoy advises for an edge, not",
    "Envoy's own. What an absent field *means* follows Envoy's definition. Statistics stand without their prefix; `/stats` has them in full.",
    "A row without a test has none of its own.",
  ];
  for (const { title, rows } of sections) {
    lines.push(
      "",
      `## ${title}`,
      "",
      "| limit | default | set by | at the limit | counted as | test |",
      "|---|---|---|---|---|---|",
    );
    for (const { what, value, field, answer, counter, proof } of rows) {
      const test = proof === undefined ? "–" : proof.slice(proof.indexOf(" › ") + 3);
      const counted = counter === undefined ? "–" : `\`${counter}\``;
      const cells = [what, value, field === "" ? "–" : field, answer, counted, test];
      lines.push(`| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`);
    }
  }
  return `${lines.join("\n")}\n`;
}

requireTrue();
writeOrCheckPage("docs/reference/limits.md", "scripts/generate-limits.ts", render());
