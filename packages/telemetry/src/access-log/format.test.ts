import assert from "node:assert/strict";
import { test } from "node:test";
import { compileAccessLogFormat, istioJsonFormat, istioTextFormat } from "./format.ts";
import type { AccessLogFormatConfig } from "./format.ts";
import { emptyAccessLogRecord } from "./record.ts";
import type { AccessLogRecord } from "./record.ts";

function request(changes: Partial<AccessLogRecord> = {}): AccessLogRecord {
  return {
    ...emptyAccessLogRecord(),
    startTimeMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
    method: "GET",
    path: "/books?id=1",
    authority: "books:9080",
    protocol: "HTTP/1.1",
    responseCode: 200,
    responseCodeDetails: "via_upstream",
    bytesReceived: 0,
    bytesSent: 42,
    durationMs: 7.9,
    upstreamHost: "127.0.0.1:41000",
    upstreamCluster: "outbound|9080||books.default.svc.cluster.local",
    downstreamLocalAddress: "127.0.0.1:1",
    downstreamRemoteAddress: "[::1]:2",
    routeName: "read",
    requestHeaders: new Map([["user-agent", "curl/8"]]),
    responseHeaders: new Map([["x-envoy-upstream-service-time", "6"]]),
    ...changes,
  };
}

function print(config: AccessLogFormatConfig, record = request()): string {
  const compiled = compileAccessLogFormat(config);
  assert.deepEqual(compiled.problems, []);
  return compiled.format!.format(record);
}

test("Istio's text format prints a request as Envoy does", () => {
  assert.equal(
    print({ text: istioTextFormat }),
    '[2026-01-02T03:04:05.006Z] "GET /books?id=1 HTTP/1.1" 200 - via_upstream - "-" 0 42 7 6 "-" "curl/8" "-" ' +
      '"books:9080" "127.0.0.1:41000" outbound|9080||books.default.svc.cluster.local - 127.0.0.1:1 [::1]:2 - read\n',
  );
});

test("Istio's JSON format keeps numbers as numbers and prints null for what is not known", () => {
  const printed = JSON.parse(print({ json: istioJsonFormat })) as Record<string, unknown>;
  assert.equal(printed.response_code, 200);
  assert.equal(printed.duration, 7);
  assert.equal(printed.method, "GET");
  assert.equal(printed.x_forwarded_for, null);
});

test("without virtual clusters their name is not known, as in Envoy", () => {
  assert.equal(print({ text: "%VIRTUAL_CLUSTER_NAME%" }), "-");
  assert.equal(print({ json: { name: "%VIRTUAL_CLUSTER_NAME%" } }), '{"name":null}\n');
});

const formats: readonly [title: string, format: string, expected: string][] = [
  ["a second header is read when the first is absent", "%REQ(X-A?USER-AGENT)%", "curl/8"],
  ["a length cuts the value", "%REQ(USER-AGENT):4%", "curl"],
  ["two percent signs print one", "100%%", "100%"],
  [
    "START_TIME takes a strftime format",
    "%START_TIME(%Y/%m/%dT%H:%M:%S.%3f %s)%",
    "2026/01/02T03:04:05.006 1767323045",
  ],
  ["the port is cut from an address", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "::1"],
  ["the port of an address", "%DOWNSTREAM_REMOTE_PORT%", "2"],
  [":status reads the code of the answer", "%RESP(:STATUS)%", "200"],
];
for (const [title, format, expected] of formats) {
  test(title, () => assert.equal(print({ text: format }), expected));
}

test("a gRPC status is printed in each of Envoy's formats, and only for gRPC", () => {
  const text =
    "%GRPC_STATUS% %GRPC_STATUS(CAMEL_STRING)% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS(NUMBER)% %GRPC_STATUS_NUMBER%";
  const rows: readonly (readonly [number, string])[] = [
    [0, "OK OK OK 0 0"],
    [1, "Canceled Canceled CANCELLED 1 1"],
    [4, "DeadlineExceeded DeadlineExceeded DEADLINE_EXCEEDED 4 4"],
    [16, "Unauthenticated Unauthenticated UNAUTHENTICATED 16 16"],
    [99, "99 99 99 99 99"],
    [-1, "- - - - -"],
  ];
  for (const [grpcStatus, expected] of rows) assert.equal(print({ text }, request({ grpcStatus })), expected);
});

test("line feeds and other control characters of a request cannot forge a line", () => {
  assert.equal(
    print({ text: "%REQ(:PATH)% end\n" }, request({ path: "/a\nGET /b\u001b[0m" })),
    "/a\\x0aGET /b\\x1b[0m end\n",
  );
});

test("nested JSON and constants are kept", () => {
  const printed = print({ json: { a: { b: "%RESPONSE_CODE% of %REQ(:METHOD)%", c: true }, d: 1, e: null } });
  assert.deepEqual(JSON.parse(printed), { a: { b: "200 of GET", c: true }, d: 1, e: null });
});

const problems: readonly [format: string, problem: RegExp][] = [
  [
    "%NO_SUCH_THING%",
    /%NO_SUCH_THING% is not a command operator that Heddle knows; it knows .*GRPC_STATUS.* PROTOCOL, REQ, /,
  ],
  ["%TRACE_ID%", /^%TRACE_ID% is not supported yet$/],
  ["%GRPC_STATUS(WORDS)%", /^%GRPC_STATUS\(WORDS\)% knows CAMEL_STRING, SNAKE_STRING and NUMBER$/],
  ["%PROTOCOL(x)%", /%PROTOCOL% takes no argument/],
  ["%REQ%", /%REQ% needs a header name/],
  ["%REQ(a?b?c)%", /one header name, or two/],
  ["50% of it", /"%" at offset 2 .* starts no operator/],
  ["%START_TIME(%Q)%", /the conversion %Q is not supported/],
];
for (const [format, problem] of problems) {
  test(`the format ${format} is refused`, () => {
    const compiled = compileAccessLogFormat({ text: format });
    assert.equal(compiled.format, undefined);
    assert.match(compiled.problems.join("\n"), problem);
  });
}

test("all problems of a JSON format are named", () => {
  const compiled = compileAccessLogFormat({ json: { a: "%NOPE%", b: { c: "%NEITHER%" } } });
  assert.equal(compiled.problems.length, 2);
});
