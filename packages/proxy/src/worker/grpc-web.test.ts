import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  createFileRegistry,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromJson,
} from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  type StringValueSchema,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type UnaryResponse } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { status } from "@grpc/grpc-js";
import { type EchoedRequest, type EchoServer, startEchoServer } from "@heddle/testkit";
import grpcWeb from "grpc-web";
import XMLHttpRequest from "xhr2";
import { bootstrap, cluster, http2Cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { GrpcApp, grpcPath } from "../testing/grpc-app.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// gRPC-Web's own clients over HTTP/1.1 (connect-web in binary, Google's grpc-web in text), the proxy, and gRPC's own server.

let app: GrpcApp;
let page: EchoServer;
let proxy: TestProxy;
let url: string;

const filterType = "type.googleapis.com/envoy.extensions.filters.http";
const filter = { name: "grpc-web", typed_config: { "@type": `${filterType}.grpc_web.v3.GrpcWeb` } };
const fault = {
  name: "fault",
  typed_config: {
    "@type": `${filterType}.fault.v3.HTTPFault`,
    delay: { fixed_delay: "0.05s", percentage: { numerator: 100 } },
    headers: [{ name: "x-delay", present_match: true }],
  },
};

before(async () => {
  app = await GrpcApp.start();
  page = await startEchoServer();
  const to = (name: string, action: object) => ({
    match: { prefix: "/", headers: [{ name: "x-route", string_match: { exact: name } }] },
    ...action,
  });
  const routes = [
    to("page", { route: { cluster: "page" } }),
    to("nowhere", { route: { cluster: "nowhere" } }),
    to("retry", { route: { cluster: "app", retry_policy: { retry_on: "unavailable", num_retries: 2 } } }),
    route("/", "app"),
  ];
  const routeConfig = { validate_clusters: false };
  proxy = await TestProxy.start(
    bootstrap(
      [
        httpListener({ name: "web", routes, routeConfig, filters: [fault, filter] }),
        httpListener({ name: "off", routes, routeConfig, filters: [{ ...filter, disabled: true }] }),
      ],
      [cluster("app", [app.port], http2Cluster()), cluster("page", [page.port])],
    ),
  );
  url = `http://127.0.0.1:${proxy.port("web")}`;
  Object.assign(globalThis, { XMLHttpRequest });
});

after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await app?.[Symbol.asyncDispose]();
  await page?.close();
});

/** A method of the application whose messages are StringValue. */
function method(name: "Echo" | "Fail" | "FailFirst" | "EchoTwice"): DescMethod {
  const messages = { inputType: ".google.protobuf.StringValue", outputType: ".google.protobuf.StringValue" };
  const file = fromJson(FileDescriptorProtoSchema, {
    name: "shop.proto",
    package: "shop",
    syntax: "proto3",
    dependency: ["google/protobuf/wrappers.proto"],
    service: [{ name: "Books", method: [{ name, ...messages, serverStreaming: name === "EchoTwice" }] }],
  });
  const found = createFileRegistry(file, () => file_google_protobuf_wrappers.proto).getService("shop.Books")
    ?.methods[0];
  assert.ok(found);
  return found;
}

type Fields = Record<string, string>;

/** One call of connect-web, in binary. */
async function connectUnary(
  name: "Echo" | "Fail" | "FailFirst",
  value: string,
  headers: Fields = {},
): Promise<UnaryAnswer> {
  const transport = createGrpcWebTransport({ baseUrl: url });
  const found = method(name) as DescMethodUnary<typeof StringValueSchema, typeof StringValueSchema>;
  return transport.unary(found, undefined, undefined, headers, { value });
}
type UnaryAnswer = UnaryResponse<typeof StringValueSchema, typeof StringValueSchema>;

interface TextAnswer {
  readonly messages: string[];
  readonly code: number;
  readonly details: string;
}

/** One call of Google's grpc-web, whose status is an answer, too. */
function googleCall(name: string, message: string, headers: Fields = {}, format = "text"): Promise<TextAnswer> {
  const client = new grpcWeb.GrpcWebClientBase({ format });
  const descriptor = new grpcWeb.MethodDescriptor<Buffer, string>(
    grpcPath(name),
    grpcWeb.MethodType.SERVER_STREAMING,
    Buffer,
    String as never,
    (bytes: Buffer) => new Uint8Array(bytes),
    (bytes: Uint8Array) => Buffer.from(bytes).toString(),
  );
  return new Promise((resolve) => {
    const messages: string[] = [];
    const call = client.serverStreaming(`${url}${grpcPath(name)}`, Buffer.from(message), headers, descriptor);
    call.on("data", (text) => messages.push(text));
    call.on("error", ({ code, message: details }) => resolve({ messages, code, details }));
    call.on("status", ({ code, details }) => {
      if (code === 0) call.on("end", () => resolve({ messages, code, details }));
    });
  });
}

async function codeOf(call: Promise<unknown>): Promise<readonly [Code, string]> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConnectError, String(error));
  return [error.code, error.rawMessage];
}

test("connect-web calls a gRPC application: message, head and trailers come back", async () => {
  const answer = await connectUnary("Echo", "hello", { "x-caller": "web" });
  assert.equal(answer.message.value, "hello");
  assert.equal(answer.header.get("x-head"), "of the application");
  assert.equal(answer.header.get("content-type"), "application/grpc-web+proto");
  assert.equal(answer.trailer.get("x-trailer"), "of the application");
  assert.deepEqual(app.last.get("x-caller"), ["web"]);
});

test("connect-web reads a stream of messages", async () => {
  const transport = createGrpcWebTransport({ baseUrl: url });
  const found = method("EchoTwice") as DescMethodServerStreaming<typeof StringValueSchema, typeof StringValueSchema>;
  const input = (async function* () {
    yield { value: "again" };
  })();
  const answer = await transport.stream(found, undefined, undefined, {}, input);
  const values: string[] = [];
  for await (const { value } of answer.message) values.push(value);
  assert.deepEqual(values, ["again", "again"]);
});

test("connect-web hears an error that is a trailers-only answer, and a retry of one is not heard of", async () => {
  assert.deepEqual(await codeOf(connectUnary("Fail", "", { "x-code": "NOT_FOUND" })), [
    Code.NotFound,
    "not today: 100 %, ä",
  ]);
  app.failures = 2;
  const answer = await connectUnary("FailFirst", "x", { "x-route": "retry", "x-code": "UNAVAILABLE" });
  assert.equal(answer.message.value, "x");
});

for (const format of ["text", "binary"]) {
  test(`Google's grpc-web in ${format} gets messages, an error in the head and an error in the trailers`, async () => {
    const large = "a message that needs many quanta ".repeat(5_000);
    assert.deepEqual(await googleCall("Echo", large, {}, format), { messages: [large], code: 0, details: "OK" });
    const many = await googleCall("List", "50x1000", {}, format);
    assert.deepEqual([many.code, many.messages.length, many.messages[49]], [0, 50, "m".repeat(1_000)]);
    const failed = await googleCall("Fail", "", { "x-code": "ABORTED" }, format);
    assert.deepEqual([failed.code, failed.messages], [status.ABORTED, []]);
    const late = await googleCall("FailLate", "", { "x-code": "DATA_LOSS" }, format);
    assert.deepEqual(late, { messages: ["first"], code: status.DATA_LOSS, details: "no second" });
  });
}

test("a text request whose body comes during an injected delay is translated, too", async () => {
  const answer = await googleCall("Echo", "early", { "x-delay": "1" });
  assert.deepEqual(answer, { messages: ["early"], code: 0, details: "OK" });
});

test("an answer that is not gRPC's becomes an error whose message it is", async () => {
  const answer = await post("application/grpc-web+proto", Buffer.alloc(5), { "x-route": "page" });
  assert.equal(answer.headers.get("content-type"), "application/grpc-web+proto");
  assert.equal(answer.headers.get("grpc-status"), String(status.UNKNOWN));
  assert.match(decodeURIComponent(answer.headers.get("grpc-message") ?? ""), /"method":"POST"/);
  assert.equal(await answer.text(), "");
});

test("the proxy's own answers are gRPC-Web's", async () => {
  const [code, message] = await codeOf(connectUnary("Echo", "", { "x-route": "nowhere" }));
  assert.deepEqual([code, message], [Code.Unavailable, ""]);
  const answer = await post("application/grpc-web-text", Buffer.from("AAAAAAA="), {
    "x-route": "nowhere",
    accept: "application/grpc-web-text",
  });
  assert.deepEqual(
    [answer.status, answer.headers.get("content-type"), answer.headers.get("grpc-status")],
    [200, "application/grpc-web-text+proto", "14"],
  );
});

function post(type: string, body: Buffer, headers: Fields = {}, to = url): Promise<Response> {
  return fetch(`${to}${grpcPath("Echo")}`, {
    method: "POST",
    headers: { "content-type": type, ...headers },
    body: new Uint8Array(body),
  });
}

for (const [what, body] of [
  ["is no base64", "!AAAAAA="],
  ["lacks its padding", "AAAAAAA"],
] as const) {
  test(`a text request that ${what} is refused`, async () => {
    for (const headers of [{}, { "x-delay": "1" }] as Fields[]) {
      const answer = await post("application/grpc-web-text", Buffer.from(body), headers);
      assert.deepEqual(
        [answer.status, answer.headers.get("grpc-status"), answer.headers.get("grpc-message")],
        [200, "13", "Bad gRPC-web request, invalid base64 data."],
      );
    }
  });
}

test("where the filter is switched off, and for other content, nothing is translated", async () => {
  const off = `http://127.0.0.1:${proxy.port("off")}`;
  const answer = await post("application/grpc-web+proto", Buffer.alloc(5), { "x-route": "page" }, off);
  const { rawHeaders } = (await answer.json()) as EchoedRequest;
  assert.equal(new Map(rawHeaders).get("content-type"), "application/grpc-web+proto");
  const other = await post("application/grpc-web+json", Buffer.alloc(5), { "x-route": "page" });
  assert.equal(
    new Map(((await other.json()) as EchoedRequest).rawHeaders).get("content-type"),
    "application/grpc-web+json",
  );
  await proxy.whenBalanced();
});
