// istio.md 4.4: VirtualService, rule by rule. Calls go through the compiled configuration of two proxies.
import assert from "node:assert/strict";
import { test } from "node:test";
import { call, matches, subsets, toV1, toV2, trafficOf, v1, v2, virtualService } from "../testing/routing.ts";
import { actionOf, ratingsHost, reviewsHost, targetOf, TestMesh } from "../testing/test-mesh.ts";
import type { Call } from "../testing/traffic.ts";

test("4.4 in the mesh VirtualServices for one host are not merged: the first by age counts, alone", () => {
  const old = virtualService(`[{ match: [{ uri: { prefix: /a } }], ${toV1} }]`, {
    name: "z",
    created: "2026-01-01T00:00:00Z",
  });
  const young = virtualService(`[{ ${toV2} }]`, { name: "a", created: "2026-02-01T00:00:00Z" });
  assert.equal(call(old + young, { path: "/a" }).cluster, v1);
  assert.equal(call(old + young, { path: "/b" }).status, 404);
});

test("4.4 of equally old VirtualServices for one host the first by name counts, then by namespace", () => {
  const first = virtualService(`[{ ${toV1} }]`, { name: "a", hosts: `[${reviewsHost}]` });
  const byName = virtualService(`[{ ${toV2} }]`, { name: "b", hosts: `[${reviewsHost}]` });
  assert.equal(call(byName + first).cluster, v1);
  const other = virtualService(`[{ route: [{ destination: { host: ${reviewsHost}, subset: v2 } }] }]`, {
    name: "a",
    namespace: "other",
    hosts: `[${reviewsHost}]`,
  });
  assert.equal(call(other + first).cluster, v1);
});

test("4.4 a VirtualService that names the host counts before one whose wildcard covers it, and the longest wildcard before others", () => {
  const wide = virtualService(`[{ ${toV1} }]`, { name: "a", hosts: '["*.cluster.local"]' });
  const narrow = virtualService(`[{ ${toV2} }]`, { name: "b", hosts: '["*.default.svc.cluster.local"]' });
  const exact = virtualService("[{ directResponse: { status: 418 } }]", { name: "c" });
  assert.equal(call(wide).cluster, v1);
  assert.equal(call(wide + narrow).cluster, v2);
  assert.equal(call(wide + narrow + exact).status, 418);
});

test("4.4 http routes are tried top-down and the first match wins", () => {
  const rules = virtualService(
    `[{ match: [{ uri: { prefix: /a } }], ${toV1} }, { match: [{ uri: { prefix: /a/b } }], ${toV2} }]`,
  );
  assert.equal(call(rules, { path: "/a/b" }).cluster, v1);
});

test("4.4 entries of match are OR", () => {
  const match = "[{ uri: { exact: /a } }, { uri: { exact: /b } }]";
  assert.deepEqual(
    ["/a", "/b", "/c"].map((path) => matches(match, { path })),
    [true, true, false],
  );
});

test("4.4 fields of a match entry are AND", () => {
  const match =
    "[{ uri: { exact: /a }, method: { exact: GET }, headers: { x: { exact: '1' } }, queryParams: { q: { exact: '2' } } }]";
  const all: Partial<Call> = { path: "/a?q=2", method: "GET", headers: { x: "1" } };
  assert.equal(matches(match, all), true);
  for (const other of [
    { path: "/b?q=2" },
    { path: "/a?q=3" },
    { path: "/a" },
    { method: "POST" },
    { headers: { x: "2" } },
    { headers: {} },
  ]) {
    assert.equal(matches(match, { ...all, ...other }), false, JSON.stringify(other));
  }
});

test("4.4 an entry without match is a catch-all, and nothing behind it is reached", () => {
  const routes = new TestMesh(
    subsets + virtualService(`[{ ${toV1} }, { match: [{ uri: { prefix: /a } }], ${toV2} }]`),
  ).routes("web-0", reviewsHost);
  assert.deepEqual(routes.map(targetOf), [v1]);
  for (const everything of ["{ uri: { prefix: / } }", "{ uri: { regex: '.*' } }"]) {
    const rules = virtualService(`[{ match: [${everything}], ${toV1} }, { ${toV2} }]`);
    assert.deepEqual(new TestMesh(subsets + rules).routes("web-0", reviewsHost).map(targetOf), [v1]);
  }
  const guarded = virtualService(`[{ match: [{ uri: { prefix: / }, headers: { x: {} } }], ${toV1} }, { ${toV2} }]`);
  assert.deepEqual(new TestMesh(subsets + guarded).routes("web-0", reviewsHost).map(targetOf), [v1, v2]);
});

test("4.4 no route matched: 404 NR", () => {
  const { status, flags } = call(virtualService(`[{ match: [{ uri: { exact: /a } }], ${toV1} }]`), { path: "/b" });
  assert.deepEqual([status, flags], [404, ["NR"]]);
});

test("4.4 a destination whose cluster is missing: 503 NC", () => {
  for (const destination of ["{ host: reviews, subset: v9 }", "{ host: nowhere }"]) {
    const { status, flags } = call(virtualService(`[{ route: [{ destination: ${destination} }] }]`));
    assert.deepEqual([status, flags], [503, ["NC"]], destination);
  }
  // Nor does a missing cluster take the other routes of its table down.
  const tables = new TestMesh(subsets).resources("web-0").routes;
  assert.ok(tables.every(({ message }) => message.validateClusters === false));
});

test("4.4 sourceLabels are those of the calling workload", () => {
  const rules = virtualService(`[{ match: [{ sourceLabels: { app: web, version: v1 } }], ${toV1} }, { ${toV2} }]`);
  assert.equal(call(rules).cluster, v1);
  assert.equal(call(rules, { from: "ratings-0" }).cluster, v2);
});

test("4.4 sourceNamespace is that of the calling workload", () => {
  const rules = virtualService(
    `[{ match: [{ sourceNamespace: other }], route: [{ destination: { host: reviews, subset: v1 } }] }, { ${toV2} }]`,
  );
  assert.equal(call(rules, { from: "ratings-0" }).cluster, v1);
  assert.equal(call(rules).cluster, v2);
});

test("4.4 when gateways is set, sourceLabels are ignored; mesh is the sidecars' gateway", () => {
  const rules = virtualService(
    `[{ match: [{ gateways: [mesh], sourceLabels: { app: nobody } }], ${toV1} }, { ${toV2} }]`,
  );
  assert.equal(call(rules).cluster, v1);
});

test("4.4 a caller for whom no entry is left has the service's default route", () => {
  const rules = virtualService(`[{ match: [{ sourceLabels: { app: nobody } }], ${toV1} }]`);
  const { status, cluster, route } = call(rules);
  assert.deepEqual([status, cluster, route], [200, `outbound|9080||${reviewsHost}`, "default"]);
});

test("4.4 short hosts are of the VirtualService's own namespace, not of the caller's or the service's", () => {
  const elsewhere = virtualService("[{ directResponse: { status: 418 } }]", { namespace: "other", hosts: "[reviews]" });
  assert.equal(call(elsewhere).status, 200);
  const rules = virtualService("[{ route: [{ destination: { host: ratings } }] }]", {
    namespace: "other",
    hosts: `[${reviewsHost}]`,
  });
  assert.equal(call(rules).cluster, `outbound|7070||${ratingsHost}`);
  const wrong = virtualService("[{ route: [{ destination: { host: ratings } }] }]");
  assert.equal(call(wrong).status, 503);
});

test("4.4 a uri prefix is plain text, not path segments", () => {
  const match = "[{ uri: { prefix: /foo } }]";
  assert.deepEqual(
    ["/foo", "/foo/x", "/foobar", "/fo"].map((path) => matches(match, { path })),
    [true, true, true, false],
  );
});

test("4.4 an exact uri is the whole path", () => {
  const match = "[{ uri: { exact: /foo } }]";
  assert.deepEqual(
    ["/foo", "/foo?q=1", "/foo/", "/foobar"].map((path) => matches(match, { path })),
    [true, true, false, false],
  );
});

test("4.4 ignoreUriCase concerns exact and prefix", () => {
  assert.equal(matches("[{ uri: { prefix: /FOO }, ignoreUriCase: true }]", { path: "/foo/x" }), true);
  assert.equal(matches("[{ uri: { exact: /FOO }, ignoreUriCase: true }]", { path: "/foo" }), true);
  assert.equal(matches("[{ uri: { exact: /FOO } }]", { path: "/foo" }), false);
});

test("4.4 a regex must match the whole value", () => {
  const match = "[{ uri: { regex: '/a[0-9]' } }]";
  assert.deepEqual(
    ["/a1", "/a1/b", "/xa1", "/a1?q=1"].map((path) => matches(match, { path })),
    [true, false, false, true],
  );
  const header = "[{ headers: { x: { regex: 'a|b' } } }]";
  assert.deepEqual(
    ["a", "b", "ab"].map((x) => matches(header, { headers: { x } })),
    [true, true, false],
  );
});

test("4.4 the match {} of a header or query parameter means that it is there", () => {
  assert.equal(matches("[{ headers: { x: {} } }]", { headers: { x: "anything" } }), true);
  assert.equal(matches("[{ headers: { x: {} } }]", {}), false);
  assert.equal(matches("[{ queryParams: { q: {} } }]", { path: "/?q=" }), true);
  assert.equal(matches("[{ queryParams: { q: {} } }]", { path: "/?r=1" }), false);
});

test("4.4 withoutHeaders hold when the header is absent or has another value", () => {
  const other = "[{ withoutHeaders: { x: { exact: '1' } } }]";
  assert.deepEqual(
    [{}, { x: "2" }, { x: "1" }].map((headers) => matches(other, { headers })),
    [true, true, false],
  );
  const absent = "[{ withoutHeaders: { x: {} } }]";
  assert.deepEqual(
    [{}, { x: "" }, { x: "1" }].map((headers) => matches(absent, { headers })),
    [true, false, false],
  );
});

test("4.4 authority is what the request says, or the service's full name when it could not name the service", () => {
  const full = `[{ authority: { exact: ${reviewsHost} } }]`;
  assert.equal(matches(full, {}), true);
  assert.equal(matches(full, { authority: "reviews" }), false);
  assert.equal(matches("[{ authority: { exact: reviews } }]", { authority: "reviews" }), true);
  assert.equal(matches("[{ authority: { exact: reviews } }]", {}), false);
  assert.equal(matches("[{ authority: { regex: 'reviews[.].*local' } }]", {}), true);
  assert.equal(matches("[{ authority: { prefix: reviews.other } }]", {}), false);
});

test("4.4 a request that names its own proxy reaches the service under the service's name; one that names the service keeps its host", () => {
  assert.equal(call("").authority, `${reviewsHost}:9080`);
  assert.equal(call("", { authority: "reviews:9080" }).authority, "reviews:9080");
  const weighted = virtualService(
    "[{ route: [{ destination: { host: reviews, subset: v1 }, weight: 50 }, { destination: { host: reviews, subset: v2 }, weight: 50 }] }]",
  );
  assert.equal(call(weighted).authority, `${reviewsHost}:9080`);
});

test("4.4 a port match is decided by the service's port", () => {
  assert.equal(matches("[{ port: 9080 }]", {}), true);
  assert.equal(matches("[{ port: 9081 }]", {}), false);
});

test("4.4 rewrite.uri replaces the matched prefix, or the whole of an exact path", () => {
  const rewrite = (match: string) =>
    virtualService(`[{ match: [{ uri: ${match} }], rewrite: { uri: /new }, ${toV1} }]`);
  assert.equal(call(rewrite("{ prefix: /old }"), { path: "/old/x?q=1" }).path, "/new/x?q=1");
  assert.equal(call(rewrite("{ exact: /old }"), { path: "/old?q=1" }).path, "/new?q=1");
});

test("4.4 rewrite.uriRegexRewrite and rewrite.authority", () => {
  const rules = virtualService(
    `[{ rewrite: { uriRegexRewrite: { match: '^/users/([0-9]+)$', rewrite: '/u/\\1' }, authority: elsewhere.example }, ${toV1} }]`,
  );
  const { path, authority } = call(rules, { path: "/users/42" });
  assert.deepEqual([path, authority], ["/u/42", "elsewhere.example"]);
});

test("4.4 a host that the route sets wins over its destination's, whether there is one destination or several", () => {
  const toOwnHost =
    "{ destination: { host: reviews }, weight: 50, headers: { request: { set: { host: own.example } } } }";
  for (const destinations of [`[${toOwnHost}]`, `[${toOwnHost}, ${toOwnHost}]`]) {
    const authority = (own: string): string =>
      trafficOf(virtualService(`[{ ${own} route: ${destinations} }]`)).call({ from: "web-0", to: "reviews.default" })
        .authority;
    assert.equal(authority(""), "own.example", destinations);
    assert.equal(authority("rewrite: { authority: route.example },"), "route.example", destinations);
    assert.equal(authority("headers: { request: { set: { host: route.example } } },"), "route.example", destinations);
  }
});

test("4.4 weights share requests, and a destination without weight beside others gets none", () => {
  const rules = virtualService(
    "[{ route: [{ destination: { host: reviews, subset: v1 }, weight: 90 }, { destination: { host: reviews, subset: v2 }, weight: 10 }, { destination: { host: reviews } }] }]",
  );
  const clusters = Array.from({ length: 100 }, (_, i) => call(rules, { random: i / 100 }).cluster);
  assert.deepEqual(
    [clusters.filter((name) => name === v1).length, clusters.filter((name) => name === v2).length],
    [90, 10],
  );
  assert.deepEqual(targetOf(new TestMesh(subsets + rules).routes("web-0", reviewsHost)[0]), [
    [v1, 90],
    [v2, 10],
  ]);
});

test("4.4 a single destination gets everything, whether or not it has a weight", () => {
  for (const weight of ["", ", weight: 1"]) {
    const rules = virtualService(`[{ route: [{ destination: { host: reviews, subset: v2 }${weight} }] }]`);
    for (const random of [0, 0.5, 0.999]) assert.equal(call(rules, { random }).cluster, v2);
  }
});

test("4.4 a destination without port: the service's only port, or the one that was called", () => {
  const rules = virtualService(`[{ route: [{ destination: { host: ${ratingsHost} } }] }]`);
  assert.equal(call(rules).cluster, `outbound|7070||${ratingsHost}`);
  const twoPorts = new TestMesh(
    virtualService(`[{ route: [{ destination: { host: ${reviewsHost} } }] }]`, { hosts: "[reviews]" }),
    {
      change: (instance) => (instance.id === "reviews-v2-0" ? { ...instance, servicePort: 9081 } : instance),
    },
  );
  assert.equal(targetOf(twoPorts.routes("web-0", reviewsHost)[0]), `outbound|9080||${reviewsHost}`);
  const toTwoPorts = new TestMesh(
    virtualService("[{ route: [{ destination: { host: reviews } }] }]", { hosts: "[web]" }),
    {
      change: (instance) => (instance.id === "reviews-v2-0" ? { ...instance, servicePort: 9081 } : instance),
    },
  );
  assert.equal(
    targetOf(toTwoPorts.routes("web-0", "web.default.svc.cluster.local")[0]),
    `outbound|8080||${reviewsHost}`,
  );
  const named = virtualService(`[{ route: [{ destination: { host: ${ratingsHost}, port: { number: 1234 } } }] }]`);
  assert.equal(call(named).status, 503);
});

test("4.4 default timeout: none", () => {
  assert.equal(call("").timeoutMs, 0);
  assert.equal(call(virtualService(`[{ ${toV1} }]`)).timeoutMs, 0);
  assert.equal(call(virtualService(`[{ ${toV1}, timeout: 1.5s }]`)).timeoutMs, 1500);
});

test("4.4 a gRPC caller's own deadline counts, as far as the timeout goes, and the timeout without one", () => {
  const asked = (routes: string, deadline?: string) =>
    call(routes, {
      headers: { "content-type": "application/grpc", ...(deadline === undefined ? {} : { "grpc-timeout": deadline }) },
    }).timeoutMs;
  const limited = virtualService(`[{ ${toV1}, timeout: 1.5s }]`);
  assert.deepEqual([asked(""), asked("", "700m"), asked("", "60S")], [0, 700, 60_000]);
  assert.deepEqual([asked(limited), asked(limited, "700m"), asked(limited, "60S")], [1500, 700, 1500]);
  assert.equal(call("", { headers: { "grpc-timeout": "700m" } }).timeoutMs, 0, "only gRPC has it");
});

const faulty = (fault: string) =>
  virtualService(`[{ ${toV1}, timeout: 1s, retries: { attempts: 3, retryOn: 5xx }, fault: ${fault} }]`);

test("4.4 an injected abort is not retried, and an injected delay does not count against the timeout", () => {
  const aborted = call(faulty("{ abort: { httpStatus: 503, percentage: { value: 100 } } }"));
  assert.deepEqual([aborted.status, aborted.flags, aborted.canRetry, aborted.cluster], [503, ["FI"], false, ""]);
  const delayed = call(faulty("{ delay: { fixedDelay: 5s, percentage: { value: 100 } } }"));
  assert.deepEqual([delayed.status, delayed.delayMs, delayed.flags], [200, 5000, ["DI"]]);
  assert.equal(delayed.timeoutMs, 1000);
});

test("4.4 the fault filter stands before the router, and requests that a fault passes over keep retries and timeout", () => {
  const passed = call(faulty("{ abort: { httpStatus: 503, percentage: { value: 10 } } }"), { random: 0.5 });
  assert.deepEqual([passed.status, passed.canRetry, passed.timeoutMs], [200, true, 1000]);
  assert.equal(call(faulty("{ abort: { httpStatus: 503, percentage: { value: 10 } } }"), { random: 0.05 }).status, 503);
});

test("4.4 a fault without percentage never happens", () => {
  const never = call(faulty("{ abort: { httpStatus: 503 }, delay: { fixedDelay: 5s } }"), { random: 0 });
  assert.deepEqual([never.status, never.delayMs], [200, 0]);
});

test("4.4 a mirror gets every request by default, none at an explicit 0, and its share otherwise", () => {
  const mirrored = (percentage: string) =>
    virtualService(`[{ ${toV1}, mirror: { host: reviews, subset: v2 }${percentage} }]`);
  assert.deepEqual(call(mirrored("")).mirrors, [v2]);
  assert.deepEqual(call(mirrored(", mirrorPercentage: { value: 0 }"), { random: 0 }).mirrors, []);
  assert.deepEqual(call(mirrored(", mirrorPercentage: { value: 30 }"), { random: 0.2 }).mirrors, [v2]);
  assert.deepEqual(call(mirrored(", mirrorPercentage: { value: 30 }"), { random: 0.4 }).mirrors, []);
});

test("4.4 several mirrors, each with its percentage; the copy keeps its host and is not sampled", () => {
  const rules = virtualService(
    `[{ ${toV1}, mirrors: [{ destination: { host: reviews, subset: v2 } }, { destination: { host: web }, percentage: { value: 0 } }, { destination: { host: ${ratingsHost} }, percentage: { value: 50 } }] }]`,
  );
  assert.deepEqual(call(rules, { random: 0.1 }).mirrors, [v2, `outbound|7070||${ratingsHost}`]);
  const { requestMirrorPolicies } = actionOf(new TestMesh(subsets + rules).routes("web-0", reviewsHost)[0]);
  assert.equal(requestMirrorPolicies.length, 2);
  assert.ok(
    requestMirrorPolicies.every((mirror) => mirror.disableShadowHostSuffixAppend && mirror.traceSampled === false),
  );
});

test("4.4 headers are set, added and removed for the route, and then for the destination", () => {
  const rules = virtualService(
    `[{ headers: { request: { set: { a: route }, add: { b: route }, remove: [c] } }, route: [{ destination: { host: reviews, subset: v1 }, headers: { request: { add: { b: destination } } } }] }]`,
  );
  const { headers } = call(rules, { headers: { a: "caller", b: "caller", c: "caller" } });
  assert.equal(headers.get("a"), "route");
  assert.deepEqual(headers.getAll("b"), ["caller", "route", "destination"]);
  assert.equal(headers.has("c"), false);
});

test("4.4 redirect: the path is replaced, the code is 301 unless said, the port of a scheme is not written out", () => {
  const location = (redirect: string, fields: Partial<Call> = {}) => {
    const { status, location: where } = call(
      virtualService(`[{ match: [{ uri: { prefix: /old } }], redirect: ${redirect} }]`),
      {
        path: "/old/x?q=1",
        authority: "reviews",
        ...fields,
      },
    );
    return `${status} ${where}`;
  };
  assert.equal(location("{ uri: /new }"), "301 http://reviews/new?q=1");
  assert.equal(location("{ prefixRewrite: /new, redirectCode: 307 }"), "307 http://reviews/new/x?q=1");
  assert.equal(
    location("{ authority: other.example, scheme: https, port: 443 }"),
    "301 https://other.example/old/x?q=1",
  );
  assert.equal(location("{ authority: other.example, port: 80 }"), "301 http://other.example/old/x?q=1");
  assert.equal(location("{ authority: other.example, port: 8443 }"), "301 http://other.example:8443/old/x?q=1");
  assert.equal(location("{ uri: /new, derivePort: FROM_REQUEST_PORT }"), "301 http://reviews:9080/new?q=1");
  assert.equal(location("{ uri: /new, derivePort: FROM_PROTOCOL_DEFAULT }"), "301 http://reviews/new?q=1");
});

test("4.4 directResponse answers with its status and body", () => {
  const text = call(virtualService("[{ directResponse: { status: 418, body: { string: teapot } } }]"));
  assert.deepEqual([text.status, text.body, text.cluster], [418, "teapot", ""]);
  const bytes = call(virtualService("[{ directResponse: { status: 200, body: { bytes: dGVhcG90 } } }]"));
  assert.deepEqual([bytes.status, bytes.body], [200, "teapot"]);
  const long = "x".repeat(100_000);
  assert.equal(call(virtualService(`[{ directResponse: { status: 200, body: { string: ${long} } } }]`)).body, long);
});

test("4.4 the edge follows the VirtualService of its service, for every host, and keeps the host", () => {
  const rules = virtualService(
    `[{ match: [{ uri: { prefix: /reviews } }], route: [{ destination: { host: reviews } }] }, { route: [{ destination: { host: web } }] }]`,
    { hosts: "[web]" },
  );
  const traffic = trafficOf(rules);
  const outside = (path: string) => traffic.call({ from: "edge", path, authority: "shop.example" });
  assert.deepEqual(
    [outside("/reviews/1").cluster, outside("/reviews/1").authority],
    [`outbound|9080||${reviewsHost}`, "shop.example"],
  );
  assert.equal(outside("/").reached, "web-0");
});
