// istio.md 4.4: what each field of a route does to a request and to its answer, in tables.
import assert from "node:assert/strict";
import { test } from "node:test";
import { call, matches, subsets, toV1, toV2, trafficOf, v1, v2, virtualService } from "../testing/routing.ts";
import { reviewsHost, TestMesh } from "../testing/test-mesh.ts";
import { type Call, type Result, Traffic } from "../testing/traffic.ts";

function redirected(redirect: string, fields: Partial<Call> = {}): string {
  const route = `[{ match: [{ uri: { prefix: /old } }], redirect: ${redirect} }]`;
  const { status, location } = call(virtualService(route), { path: "/old/x", authority: "reviews", ...fields });
  return `${status} ${location}`;
}

test("4.4 a redirect has the code that is written, of the five that there are", () => {
  for (const code of [301, 302, 303, 307, 308])
    assert.equal(redirected(`{ uri: /new, redirectCode: ${code} }`), `${code} http://reviews/new`);
});

test("4.4 a redirect's port is left out only where it is the scheme's own", () => {
  const cases: [string, string][] = [
    ["{ port: 80 }", "http://reviews/old/x"],
    ["{ port: 443 }", "http://reviews:443/old/x"],
    ["{ scheme: http, port: 80 }", "http://reviews/old/x"],
    ["{ scheme: http, port: 443 }", "http://reviews:443/old/x"],
    ["{ scheme: https, port: 80 }", "https://reviews:80/old/x"],
    ["{ scheme: https, port: 443 }", "https://reviews/old/x"],
    ["{ scheme: https }", "https://reviews/old/x"],
  ];
  for (const [redirect, location] of cases) assert.equal(redirected(redirect), `301 ${location}`, redirect);
});

test("4.4 a request that names its own proxy is redirected to that proxy's own port", () => {
  const { location } = call(virtualService("[{ redirect: { uri: /new, derivePort: FROM_REQUEST_PORT } }]"));
  const port = new TestMesh("").instance("web-0").outboundPorts["reviews.default"];
  assert.equal(location, `http://127.0.0.1:${port}/new`);
});

test("4.4 authority is matched by the service's full name in every way when the request could not name the service", () => {
  const cases: [string, boolean][] = [
    ["{ prefix: reviews.default }", true],
    ["{ prefix: eviews.default }", false],
    ["{ exact: reviews.default }", false],
    [`{ exact: ${reviewsHost} }`, true],
    ["{ regex: 'reviews[.]default' }", false],
    ["{ regex: 'reviews[.]default.*' }", true],
  ];
  for (const [authority, expected] of cases)
    assert.equal(matches(`[{ authority: ${authority} }]`, {}), expected, authority);
});

test("4.4 exact, prefix and regex are told apart in headers, query parameters and methods", () => {
  const places: [string, (value: string) => Partial<Call>][] = [
    ["headers: { x: CONDITION }", (value) => ({ headers: { x: value } })],
    ["queryParams: { q: CONDITION }", (value) => ({ path: `/?q=${value}` })],
    ["method: CONDITION", (method) => ({ method })],
  ];
  for (const [place, fields] of places) {
    const holds = (condition: string) =>
      ["GET", "GETS", "WIDGET"].map((value) =>
        matches(`[{ ${place.replace("CONDITION", condition)} }]`, fields(value)),
      );
    assert.deepEqual(holds("{ exact: GET }"), [true, false, false], place);
    assert.deepEqual(holds("{ prefix: GET }"), [true, true, false], place);
    assert.deepEqual(holds("{ regex: GETS? }"), [true, true, false], place);
  }
});

test("4.4 a mirror whose percentage is {} gets nothing: protobuf reads 0", () => {
  const toMirror = "destination: { host: reviews, subset: v2 }";
  const cases: [string, string[]][] = [
    [`mirrors: [{ ${toMirror} }]`, [v2]],
    [`mirrors: [{ ${toMirror}, percentage: {} }]`, []],
    ["mirror: { host: reviews, subset: v2 }", [v2]],
    ["mirror: { host: reviews, subset: v2 }, mirrorPercentage: {}", []],
  ];
  for (const [mirror, expected] of cases)
    assert.deepEqual(call(virtualService(`[{ ${toV1}, ${mirror} }]`), { random: 0 }).mirrors, expected, mirror);
});

test("4.4 a fault's and a mirror's percentage count to a fraction of a percent", () => {
  const half = "percentage: { value: 0.5 }";
  const answer = (random: number) =>
    call(virtualService(`[{ ${toV1}, fault: { abort: { httpStatus: 418, ${half} } } }]`), { random }).status;
  assert.deepEqual([answer(0.004), answer(0.006)], [418, 200]);
  const mirrored = (random: number) =>
    call(virtualService(`[{ ${toV1}, mirrors: [{ destination: { host: web }, ${half} }] }]`), { random }).mirrors
      .length;
  assert.deepEqual([mirrored(0.004), mirrored(0.006)], [1, 0]);
});

test("4.4 a fault's delay and its abort happen each by itself", () => {
  const always = "percentage: { value: 100 }";
  const outcome = (fault: string) => {
    const { status, delayMs } = call(virtualService(`[{ ${toV1}, fault: { ${fault} } }]`));
    return [status, delayMs];
  };
  assert.deepEqual(outcome(`delay: { fixedDelay: 2s, ${always} }`), [200, 2000]);
  assert.deepEqual(outcome(`abort: { httpStatus: 418, ${always} }`), [418, 0]);
  assert.deepEqual(outcome(`delay: { fixedDelay: 2s, ${always} }, abort: { httpStatus: 418, ${always} }`), [418, 2000]);
  assert.deepEqual(
    outcome(`delay: { fixedDelay: 2s, percentage: {} }, abort: { httpStatus: 418, percentage: {} }`),
    [200, 0],
  );
});

const everyOperation = (side: string, by: string) =>
  `${side}: { set: { s: ${by}, both: ${by} }, add: { a: ${by} }, remove: [r, ${by}] }`;
const sent = { s: "sent", a: "sent", r: "sent", route: "sent", destination: "sent", v1: "sent", v2: "sent" };

/** What is left of {@link sent} and put beside it, in the request or in the answer. */
function changed({ headers, answer }: Result, side: string): Record<string, string[]> {
  const list = side === "request" ? headers : answer;
  return Object.fromEntries([...Object.keys(sent), "both"].map((name) => [name, list.getAll(name)]));
}

for (const side of ["request", "response"]) {
  test(`4.4 headers of the ${side} are set, added and removed by the route and by its only destination`, () => {
    const destination = `{ destination: { host: reviews }, headers: { ${everyOperation(side, "destination")} } }`;
    const rules = virtualService(`[{ headers: { ${everyOperation(side, "route")} }, route: [${destination}] }]`);
    assert.deepEqual(changed(call(rules, { headers: sent, answer: sent }), side), {
      s: ["destination"],
      a: ["sent", "route", "destination"],
      r: [],
      route: [],
      destination: [],
      v1: ["sent"],
      v2: ["sent"],
      both: ["destination"],
    });
  });

  test(`4.4 headers of the ${side} are those of the destination that the weights choose, and of the route`, () => {
    const destinations = ["v1", "v2"].map(
      (subset) =>
        `{ destination: { host: reviews, subset: ${subset} }, weight: 50, headers: { ${everyOperation(side, subset)} } }`,
    );
    const rules = virtualService(
      `[{ headers: { ${side}: { add: { a: route }, remove: [route] } }, route: [${destinations.join()}] }]`,
    );
    for (const [random, chosen, other] of [
      [0.1, "v1", "v2"],
      [0.9, "v2", "v1"],
    ] as const) {
      const seen = changed(call(rules, { headers: sent, answer: sent, random }), side);
      assert.deepEqual(
        { ...seen, a: [...(seen["a"] ?? [])].sort() },
        {
          s: [chosen],
          a: ["route", "sent", chosen],
          r: [],
          route: [],
          destination: ["sent"],
          [chosen]: [],
          [other]: ["sent"],
          both: [chosen],
        },
      );
    }
  });
}

test("4.4 answers that a route makes itself carry its response headers, too", () => {
  for (const action of ["redirect: { uri: /new }", "directResponse: { status: 418 }"]) {
    const { answer } = call(virtualService(`[{ headers: { response: { set: { x: route } } }, ${action} }]`));
    assert.equal(answer.get("x"), "route", action);
  }
});

test("4.4 host and :authority are set by request headers in every spelling", () => {
  const authority = (operations: string) =>
    call(virtualService(`[{ headers: { request: ${operations} }, ${toV1} }]`)).authority;
  const cases: [string, string][] = [
    ["{ set: { host: a.example } }", "a.example"],
    ["{ set: { Host: a.example } }", "a.example"],
    ['{ set: { ":authority": a.example } }', "a.example"],
    ["{ add: { host: a.example } }", "a.example"],
  ];
  for (const [operations, expected] of cases) assert.equal(authority(operations), expected, operations);
});

test("4.4 a client in the mesh may name the service by each of its names, with and without the port, and keeps what it said", () => {
  const names = ["reviews", "reviews.default", "reviews.default.svc", reviewsHost];
  const traffic = trafficOf("");
  for (const authority of names.flatMap((name) => [name, `${name}:9080`]))
    assert.equal(traffic.call({ from: "web-0", to: "reviews.default", authority }).authority, authority);
});

test("4.4 each match entry is asked about its own source", () => {
  const rules = virtualService(
    `[{ match: [{ sourceLabels: { app: nobody } }, { sourceNamespace: other }], directResponse: { status: 418 } },
      { match: [{ sourceLabels: { app: web }, uri: { prefix: /a } }], ${toV1} }, { match: [{ sourceNamespace: default }], ${toV2} }]`,
  );
  const traffic = trafficOf(rules);
  const from = (id: string, path: string) => traffic.call({ from: id, to: "reviews.default", path });
  assert.deepEqual([from("web-0", "/a").cluster, from("web-0", "/b").cluster], [v1, v2]);
  assert.equal(from("ratings-0", "/a").status, 418);
});

test("4.4 an empty list of matches is none: the route is a catch-all", () => {
  assert.equal(call(virtualService(`[{ match: [], ${toV1} }, { ${toV2} }]`)).cluster, v1);
});

test("4.4 a proxy is given the clusters of all that its routes send requests and copies to", () => {
  const reviews = `outbound|9080||${reviewsHost}`;
  for (const destination of [
    "route: [{ destination: { host: reviews } }]",
    "route: [{ destination: { host: web } }], mirror: { host: reviews }",
    "route: [{ destination: { host: web } }], mirrors: [{ destination: { host: reviews } }]",
  ]) {
    const rules = virtualService(`[{ ${destination} }]`, { hosts: "[web]" });
    assert.ok(new TestMesh(rules).findCluster("edge", reviews), destination);
  }
  assert.equal(new TestMesh("").findCluster("edge", reviews), undefined);
});

test("4.4 an empty list of gateways is none: the source conditions count", () => {
  assert.equal(matches("[{ gateways: [], sourceLabels: { app: nobody } }]", {}), false);
  assert.equal(matches("[{ gateways: [], sourceLabels: { app: web } }]", {}), true);
});

test("4.4 what names only other gateways than mesh does not govern sidecars", () => {
  const whole = virtualService("[{ directResponse: { status: 418 } }]").replace("spec:", "spec:\n  gateways: [edge]");
  const entry = virtualService("[{ match: [{ gateways: [edge] }], directResponse: { status: 418 } }]");
  for (const rules of [whole, entry]) {
    const mesh = new TestMesh(subsets + rules, { mayBeBroken: true });
    const { status, route } = new Traffic(mesh).call({ from: "web-0", to: "reviews.default" });
    assert.deepEqual([status, route], [200, "default"]);
  }
  const mesh = virtualService("[{ directResponse: { status: 418 } }]").replace("spec:", "spec:\n  gateways: [mesh]");
  assert.equal(call(mesh).status, 418);
});
