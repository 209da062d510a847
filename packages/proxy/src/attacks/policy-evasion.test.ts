import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connectRaw, type EchoedRequest, type EchoServer, startEchoServer } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { Http2Attacker } from "../testing/http2-attacker.ts";
import { type Field, frameType, headers, request, requestFields, settings } from "../testing/http2-frames.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// Requests made so that a policy does not see what the application would: octets that a regular expression cannot read (CVE-2026-73552), CONNECT
// without a path (CVE-2026-73547), and fields by which a client speaks as somebody else (XFF, XFCC, x-envoy-*).

type Json = Record<string, unknown>;

let app: EchoServer;
let proxy: TestProxy;

const any = [{ any: true }];
const rbac = (action: "ALLOW" | "DENY", policies: Json): Json => ({
  name: "rbac",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
    rules: { action, policies },
  },
});
const header = (name: string, string_match: Json): Json => ({ header: { name, string_match } });

/** Patterns for "admin" in a value: one that runs as it is, one whose backtracking would not be linear, one that is anchored. */
const patterns = ["admin", ".*admin.*", "^(a|d|m|.)*admin(.|[^x])*$"];

before(async () => {
  app = await startEchoServer();
  const webSocket = { upgrade_configs: [{ upgrade_type: "websocket" }] };
  const routes = [route("/", "app")];
  const denied = patterns.map((regex, index) => [
    `pattern-${index}`,
    {
      permissions: [
        {
          and_rules: {
            rules: [
              header("x-pattern", { exact: String(index) }),
              header("x-role", { safe_regex: { regex: index === 0 ? `(.|\\n)*${regex}(.|\\n)*` : regex } }),
            ],
          },
        },
      ],
      principals: any,
    },
  ]);
  proxy = await TestProxy.start(
    bootstrap(
      [
        httpListener({ name: "regex", routes, filters: [rbac("DENY", Object.fromEntries(denied) as Json)] }),
        httpListener({
          name: "allow",
          routes,
          filters: [
            rbac("ALLOW", {
              users: { permissions: [header("x-role", { safe_regex: { regex: "[a-z]+" } })], principals: any },
            }),
          ],
        }),
        httpListener({
          name: "connect",
          routes,
          filters: [
            rbac("DENY", {
              admin: { permissions: [{ url_path: { path: { prefix: "/admin" } } }], principals: any },
            }),
          ],
          manager: { ...webSocket, http2_protocol_options: { allow_connect: true } },
        }),
        httpListener({
          name: "edge",
          routes,
          filters: [
            rbac("ALLOW", {
              office: {
                permissions: any,
                principals: [{ remote_ip: { address_prefix: "10.1.2.3", prefix_len: 32 } }],
              },
              metrics: { permissions: [{ url_path: { path: { exact: "/open" } } }], principals: any },
            }),
          ],
          // The loopback of this test is the outside.
          manager: {
            use_remote_address: true,
            internal_address_config: { cidr_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }] },
          },
        }),
      ],
      [cluster("app", [app.port])],
    ),
  );
});
after(async () => {
  await proxy[Symbol.asyncDispose]();
  await app.close();
});

interface Answer {
  readonly status: number;
  readonly echoed: EchoedRequest | undefined;
}

async function byHttp1(listener: string, path: string, fields: readonly Field[], method = "GET"): Promise<Answer> {
  const client = await connectRaw(proxy.port(listener));
  try {
    const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    await client.send(`${method} ${path} HTTP/1.1\r\nhost: here\r\n${lines}\r\n`);
    const { head, body } = await client.response();
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
    return { status, echoed: status === 200 ? (JSON.parse(body) as EchoedRequest) : undefined };
  } finally {
    await client[Symbol.asyncDispose]();
  }
}

/** Status 0: the stream was reset. 403 is told by its body, because no test here decodes HPACK. */
function byHttp2(listener: string, frames: readonly Buffer[], first?: Buffer): Promise<Answer> {
  return Http2Attacker.attack(
    proxy.port(listener),
    async (client) => {
      await client.send(...frames);
      await client.until("the answer", () => client.hasEnded(1));
      assert.ok(await client.isBorne(), "the connection goes on");
      // Behind an answer a reset only says that the rest of the request is of no use.
      if (client.on(1, frameType.headers).length === 0) return { status: 0, echoed: undefined };
      const body = client.body(1).toString("latin1");
      if (!body.startsWith("{")) return { status: 403, echoed: undefined };
      return { status: 200, echoed: JSON.parse(body) as EchoedRequest };
    },
    first,
  );
}

const both = async (listener: string, path: string, fields: readonly Field[]): Promise<Answer[]> => [
  await byHttp1(listener, path, fields),
  await byHttp2(listener, [request(1, path, { fields })]),
];

/** What may be in a field's value and is no ASCII (RFC 9110 §5.5). */
const obsText = Array.from({ length: 128 }, (_, index) => String.fromCharCode(0x80 + index));

for (const [index, pattern] of patterns.entries()) {
  test(`a policy that denies what matches ${pattern} denies it with any octet before, behind and around it`, async () => {
    const requests = app.requests;
    for (const octet of obsText) {
      for (const value of [`${octet}admin`, `admin${octet}`, `${octet}admin${octet}`]) {
        const fields: Field[] = [
          ["x-pattern", String(index)],
          ["x-role", value],
        ];
        assert.equal((await byHttp1("regex", "/", fields)).status, 403, JSON.stringify(value));
      }
    }
    assert.equal(app.requests, requests);
  });
}

test("the same by HTTP/2; without the word only what can be read as UTF-8 passes", async () => {
  const ask = async (value: string): Promise<number> => {
    const fields: Field[] = [
      ["x-pattern", "2"],
      ["x-role", value],
    ];
    return (await byHttp2("regex", [request(1, "/", { fields })])).status;
  };
  for (const octet of ["\x80", "\xc3\xa9", "\xff", "\xc0\xae"]) assert.equal(await ask(`${octet}admin`), 403);
  assert.equal(await ask("\xc3\xa9adm"), 200);
  // A pattern cannot be asked about it: whoever denies what matches must deny this.
  for (const octet of ["\x80", "\xff", "\xc0\xae"]) assert.equal(await ask(`${octet}adm`), 403);
});

test("a policy that allows what matches a pattern allows no octet that the pattern does not name", async () => {
  for (const octet of obsText)
    assert.equal((await byHttp1("allow", "/", [["x-role", `user${octet}`]])).status, 403, JSON.stringify(octet));
  assert.equal((await byHttp1("allow", "/", [["x-role", "user"]])).status, 200);
});

test("CONNECT, which has no path, is refused, and the proxy goes on", async () => {
  const requests = app.requests;
  assert.equal((await byHttp1("connect", "here:443", [], "CONNECT")).status, 403);
  const connect: Field[] = [
    [":method", "CONNECT"],
    [":authority", "here:443"],
  ];
  assert.equal((await byHttp2("connect", [headers(1, connect, false)])).status, 403);
  // Where it is no extended one it must not have a path (RFC 9113 §8.5).
  assert.equal((await byHttp2("connect", [headers(1, [...connect, [":path", "/"]], false)])).status, 0);
  assert.equal((await byHttp2("connect", [headers(1, requestFields("/", "CONNECT"), false)])).status, 0);
  assert.equal(app.requests, requests);
  assert.equal((await byHttp1("connect", "/", [])).status, 200);
});

test("a policy about paths sees that of an upgrade, in every form", async () => {
  const requests = app.requests;
  const upgrade: Field[] = [
    ["connection", "upgrade"],
    ["upgrade", "websocket"],
    ["sec-websocket-version", "13"],
    ["sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="],
  ];
  assert.equal((await byHttp1("connect", "/admin/socket", upgrade)).status, 403);
  const fields = requestFields("/admin/socket", "CONNECT");
  const extended: Field[] = [...fields, [":protocol", "websocket"], ["sec-websocket-version", "13"]];
  assert.equal((await byHttp2("connect", [headers(1, extended, false)], settings([8, 1]))).status, 403);
  assert.equal(app.requests, requests);
});

const claims: readonly (readonly [what: string, fields: readonly Field[]])[] = [
  ["X-Forwarded-For", [["x-forwarded-for", "10.1.2.3"]]],
  ["X-Forwarded-For of several", [["x-forwarded-for", "10.1.2.3, 10.1.2.3"]]],
  [
    "two X-Forwarded-For",
    [
      ["x-forwarded-for", "10.1.2.3"],
      ["x-forwarded-for", "10.1.2.3"],
    ],
  ],
  ["X-Forwarded-For as IPv6", [["x-forwarded-for", "::ffff:10.1.2.3"]]],
  ["Forwarded", [["forwarded", "for=10.1.2.3"]]],
  ["X-Real-IP", [["x-real-ip", "10.1.2.3"]]],
  ["x-envoy-external-address", [["x-envoy-external-address", "10.1.2.3"]]],
  ["x-envoy-internal", [["x-envoy-internal", "true"]]],
];

for (const [what, fields] of claims) {
  test(`a client from outside does not become another one by ${what}`, async () => {
    for (const { status } of await both("edge", "/", fields)) assert.equal(status, 403);
  });
}

test("a header of PROXY protocol where none is configured is no address, and no request", async () => {
  const requests = app.requests;
  const version2 = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\x01\x02\x03\x7f\0\0\x01\x04\0\0\x50";
  for (const line of ["PROXY TCP4 10.1.2.3 127.0.0.1 1024 80\r\n", "PROXY UNKNOWN\r\n", version2]) {
    const client = await connectRaw(proxy.port("edge"));
    await client.send(`${line}GET /open HTTP/1.1\r\nhost: here\r\n\r\n`);
    assert.match(await client.untilEnd(), /^(HTTP\/1\.1 400 [^]*)?$/);
    await client[Symbol.asyncDispose]();
  }
  assert.equal(app.requests, requests);
});

test("what a client from outside says of itself reaches no application", async () => {
  const spoofed: Field[] = [
    ["x-forwarded-client-cert", "By=spiffe://a;Hash=00;URI=spiffe://cluster.local/ns/admin/sa/admin"],
    ["x-envoy-internal", "true"],
    ["x-envoy-external-address", "10.1.2.3"],
    ["x-envoy-original-path", "/admin"],
    ["x-envoy-retry-on", "5xx"],
    ["x-envoy-max-retries", "100"],
    ["x-envoy-upstream-rq-timeout-ms", "1"],
    ["x-envoy-peer-metadata", "forged"],
    ["x-envoy-peer-metadata-id", "forged"],
    ["x-envoy-decorator-operation", "forged"],
    ["x-envoy-attempt-count", "7"],
    ["x-forwarded-host", "admin.internal"],
    ["x-forwarded-port", "1"],
    ["x-forwarded-prefix", "/admin"],
    ["x-forwarded-proto", "https"],
    ["heddle-unprocessed", "1"],
  ];
  for (const { status, echoed } of await both("edge", "/open", spoofed)) {
    assert.equal(status, 200);
    const seen = new Map(echoed?.rawHeaders);
    for (const [name, value] of spoofed) assert.notEqual(seen.get(name), value, name);
    assert.equal(seen.get("x-forwarded-proto"), "http");
    assert.equal(seen.has("x-forwarded-client-cert"), false);
    assert.equal(seen.get("x-envoy-external-address"), "127.0.0.1");
  }
});

test("Connection cannot take away what the proxy says of a client", async () => {
  const names = "x-forwarded-for, x-forwarded-proto, x-request-id, x-envoy-external-address";
  const { status, echoed } = await byHttp1("edge", "/open", [["connection", names]]);
  assert.equal(status, 200);
  const seen = new Map(echoed?.rawHeaders);
  for (const name of names.split(", ")) assert.ok(seen.has(name), name);
});
