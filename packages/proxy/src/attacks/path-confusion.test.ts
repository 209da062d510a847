import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connectRaw, type EchoedRequest, type EchoServer, startEchoServer } from "@heddle/testkit";
import { bootstrap, cluster, httpListener } from "../testing/bootstrap-json.ts";
import { Http2Attacker } from "../testing/http2-attacker.ts";
import { frameType, request } from "../testing/http2-frames.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// Ways to write one path so that a policy reads another than the application (CVE-2026-73551, -73553, -73511). Each row is either refused, or policy,
// route and application see the very same path: the request passes an RBAC filter that allows exactly this path, and a route that matches exactly it,
// and the application tells it back.

interface Row {
  /** What is sent. */
  readonly target: string;
  /** The path as policy, route and application see it under each setting; a number: refused with this status. */
  readonly unescape: string | number;
  readonly keep: string | number;
  readonly reject: string | number;
}

const same = (target: string, path: string | number = target): Row => ({
  target,
  unescape: path,
  keep: path,
  reject: path,
});

const rows: readonly Row[] = [
  same("/admin"),
  same("/Admin"),
  // Dot segments, plain and escaped in either case.
  same("/public/../admin", "/admin"),
  same("/public/%2e%2e/admin", "/admin"),
  same("/public/%2E%2e/admin", "/admin"),
  same("/public/.%2E/admin", "/admin"),
  same("/./admin", "/admin"),
  same("/%2e/admin", "/admin"),
  same("/public/../../../admin", "/admin"),
  same("/admin/.", "/admin/"),
  same("/admin/..", "/"),
  same("/.../admin"),
  // Slashes.
  same("//admin", "/admin"),
  // Dot segments go first, as in Envoy: what is left is the same to everybody behind.
  same("/public//../admin", "/public/admin"),
  same("///public///../admin", "/public/admin"),
  same("/\\admin", "/admin"),
  same("/public\\..\\admin", "/admin"),
  { target: "/public%2f..%2fadmin", unescape: "/admin", keep: "/public%2f..%2fadmin", reject: 400 },
  { target: "/public%2F%2e%2e%2Fadmin", unescape: "/admin", keep: "/public%2F..%2Fadmin", reject: 400 },
  { target: "/public%5c..%5Cadmin", unescape: "/admin", keep: "/public%5c..%5Cadmin", reject: 400 },
  { target: "/%2fadmin", unescape: "/admin", keep: "/%2fadmin", reject: 400 },
  same("/public%252f..%252fadmin"),
  // Escapes of what needs none, and what must stay escaped.
  same("/%61dmin", "/admin"),
  same("/%61%64%6D%69n", "/admin"),
  same("/admin%20"),
  same("/admin%3fx"),
  same("/admin%23"),
  same("/admin%25"),
  same("/admin%2"),
  same("/admin%zz"),
  // Escapes that only decoding would make.
  same("/%%61dmin", "/%admin"),
  same("/%%32%65%%32%65/admin", 400),
  same("/%25%32%65", "/%252e"),
  // NUL and its friends.
  same("/admin%00", 400),
  same("/public/%00/../admin", 400),
  same("/admin%0d%0a"),
  // Overlong and other forms of UTF-8: no escape of a dot or slash by any standard.
  same("/public/%c0%ae%c0%ae/admin"),
  same("/public%c0%afadmin"),
  same("/public/%e0%80%ae%e0%80%ae/admin"),
  same("/%ef%bc%8fadmin"),
  // Parameters of segments (RFC 3986 §3.3) are part of them.
  same("/public/..;foo=bar/admin"),
  same("/public/..;/admin"),
  same("/public/.;/admin"),
  same("/admin;a=b"),
  same("/admin;jsessionid=1?x"),
  same("/;x=y/admin"),
  // Query and fragment: what looks like a path in them is none.
  same("/public?/../admin"),
  same("/public?x=/../../admin"),
  same("/admin?%2e%2e%2f"),
  same("/admin#", 400),
  same("/public#/../../admin", 400),
  same("/public?a#b", 400),
  // Not a path at all.
  same("admin", 400),
  same("", 400),
  same("*", 400),
  same("/ad min", 400),
  same("/admin\t", 400),
  same("/admin\x01", 400),
  same("/admin\x7f", 400),
  same("/admin\x80", 400),
  same("/admin\u00e9", 400),
];

/** Forms that only HTTP/1.1 has; the authority in them is the request's. */
const absolute: readonly Row[] = [
  same("http://here/admin", "/admin"),
  same("http://here/public/../admin", "/admin"),
  same("HTTP://here/%61dmin", "/admin"),
  same("http://here//admin", "/admin"),
  same("http://here", "/"),
  same("http://here?x=/admin", "/?x=/admin"),
  same("http://here\\admin", 400),
  same("http://here#/admin", 400),
  same("http://user@here/admin", 400),
  same("ftp://here/admin", 400),
  same("http:///admin", 400),
  same("//here/admin", "/here/admin"),
];

type Setting = "unescape" | "keep" | "reject";
const settings: readonly Setting[] = ["unescape", "keep", "reject"];
const action = {
  unescape: "UNESCAPE_AND_FORWARD",
  keep: "KEEP_UNCHANGED",
  reject: "REJECT_REQUEST",
} as const satisfies Record<Setting, string>;

const all = [...rows, ...absolute];
/** The number of the row, which policy and route read besides. */
const rowHeader = "x-row";
const withoutQuery = (path: string): string => path.split("?")[0] ?? "";

/** A filter that allows a row exactly the path that it should have, and everything else nothing. */
function policy(setting: Setting): Record<string, unknown> {
  const policies = all.flatMap((row, index) => {
    const path = row[setting];
    if (typeof path === "number") return [];
    const rules = [
      { header: { name: rowHeader, string_match: { exact: String(index) } } },
      { url_path: { path: { exact: withoutQuery(path) } } },
    ];
    return [[`row-${index}`, { permissions: [{ and_rules: { rules } }], principals: [{ any: true }] }]] as const;
  });
  return {
    name: "rbac",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
      rules: { action: "ALLOW", policies: Object.fromEntries(policies) },
    },
  };
}

function routes(setting: Setting): Record<string, unknown>[] {
  return all.flatMap((row, index) => {
    const path = row[setting];
    if (typeof path === "number") return [];
    const headers = [{ name: rowHeader, string_match: { exact: String(index) } }];
    return [{ match: { path: withoutQuery(path), headers }, route: { cluster: "app" } }];
  });
}

let app: EchoServer;
let proxy: TestProxy;

before(async () => {
  app = await startEchoServer();
  const listeners = settings.map((setting) =>
    httpListener({
      name: setting,
      routes: routes(setting),
      filters: [policy(setting)],
      manager: {
        normalize_path: true,
        merge_slashes: true,
        path_with_escaped_slashes_action: action[setting],
      },
    }),
  );
  proxy = await TestProxy.start(bootstrap(listeners, [cluster("app", [app.port])]));
});
after(async () => {
  await proxy[Symbol.asyncDispose]();
  await app.close();
});

interface Answer {
  readonly status: number;
  readonly url: string | undefined;
}

async function byHttp1(setting: Setting, index: number, target: string): Promise<Answer> {
  const client = await connectRaw(proxy.port(setting));
  try {
    await client.send(`GET ${target} HTTP/1.1\r\nhost: here\r\n${rowHeader}: ${index}\r\n\r\n`);
    const { head, body } = await client.response();
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
    return { status, url: status === 200 ? (JSON.parse(body) as EchoedRequest).url : undefined };
  } finally {
    await client[Symbol.asyncDispose]();
  }
}

/** A reset stream counts as 400: HTTP/2 has no other word for a malformed request (RFC 9113 §8.1.1). */
function byHttp2(setting: Setting, index: number, target: string): Promise<Answer> {
  return Http2Attacker.attack(proxy.port(setting), async (client) => {
    await client.send(request(1, target, { fields: [[rowHeader, String(index)]] }));
    await client.until("the answer", () => client.hasEnded(1));
    assert.equal(client.isCutOff, false, "only the stream is at fault");
    if (client.on(1, frameType.rstStream).length > 0) return { status: 400, url: undefined };
    const body = client.body(1).toString("latin1");
    // The echo is the only answer that is JSON.
    if (!body.startsWith("{")) return { status: body.includes("RBAC") ? 403 : 400, url: undefined };
    return { status: 200, url: (JSON.parse(body) as EchoedRequest).url };
  });
}

for (const setting of settings) {
  for (const [index, row] of all.entries()) {
    const expected = row[setting];
    const isAbsolute = absolute.includes(row);
    test(`${setting}: ${JSON.stringify(row.target)} is refused, or the same to policy, route and application`, async () => {
      const wanted: Answer =
        typeof expected === "number" ? { status: expected, url: undefined } : { status: 200, url: expected };
      assert.deepEqual(await byHttp1(setting, index, row.target), wanted, "HTTP/1.1");
      if (!isAbsolute) assert.deepEqual(await byHttp2(setting, index, row.target), wanted, "HTTP/2");
    });
  }
}
