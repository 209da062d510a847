import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { CidrRange } from "../config/address.ts";
import type { FilterChainMatchConfig } from "../config/listener.ts";
import { connectionView } from "../testing/fixtures.ts";
import type { ConnectionView } from "./connection.ts";
import { FilterChainIndex } from "./filter-chain-index.ts";
import { BoundCidr, parseIp } from "./ip-address.ts";

type Match = Partial<FilterChainMatchConfig>;

function matchOf(parts: Match): FilterChainMatchConfig {
  return {
    destinationPort: undefined,
    prefixRanges: [],
    serverNames: [],
    transportProtocol: "",
    applicationProtocols: [],
    directSourcePrefixRanges: [],
    sourceType: "any",
    sourcePrefixRanges: [],
    sourcePorts: [],
    ...parts,
  };
}

function indexOf(...matches: Match[]): FilterChainIndex<number> {
  return new FilterChainIndex(matches.map((match, chain) => ({ match: matchOf(match), chain })));
}

function cidr(text: string): CidrRange {
  const [address = "", length = "0"] = text.split("/");
  return { address, prefixLength: Number(length) };
}

test("each condition of a filter chain match separates connections", () => {
  const table: [Match, Partial<ConnectionView>, Partial<ConnectionView>][] = [
    [{ destinationPort: 8080 }, {}, { localAddress: { host: "10.0.0.2", port: 8081 } }],
    [{ prefixRanges: [cidr("10.0.0.0/24")] }, {}, { localAddress: { host: "10.0.1.2", port: 8080 } }],
    [{ prefixRanges: [cidr("2001:db8::/32")] }, { localAddress: { host: "2001:db8::1", port: 8080 } }, {}],
    [{ serverNames: ["a.example"] }, { sni: "a.example" }, { sni: "b.example" }],
    [{ serverNames: ["*.example"] }, { sni: "x.y.example" }, { sni: "example" }],
    [{ serverNames: ["A.Example"] }, { sni: "a.example" }, {}],
    [{ transportProtocol: "tls" }, { transportProtocol: "tls" }, {}],
    [{ transportProtocol: "raw_buffer" }, {}, { transportProtocol: "tls" }],
    [
      { applicationProtocols: ["istio", "h2"] },
      { applicationProtocols: ["x", "h2"] },
      { applicationProtocols: ["http/1.1"] },
    ],
    [{ directSourcePrefixRanges: [cidr("10.0.0.1/32")] }, {}, { remoteAddress: { host: "10.0.0.9", port: 1 } }],
    [{ sourcePrefixRanges: [cidr("10.0.0.1/32")] }, {}, { remoteAddress: { host: "10.0.0.9", port: 1 } }],
    [{ sourceType: "same-ip-or-loopback" }, { remoteAddress: { host: "127.0.0.1", port: 1 } }, {}],
    [{ sourceType: "same-ip-or-loopback" }, { remoteAddress: { host: "10.0.0.2", port: 1 } }, {}],
    [{ sourceType: "external" }, {}, { remoteAddress: { host: "::1", port: 1 } }],
    [{ sourcePorts: [50000, 50001] }, {}, { remoteAddress: { host: "10.0.0.1", port: 50002 } }],
  ];
  for (const [match, yes, no] of table) {
    assert.equal(indexOf(match).find(connectionView(yes)), 0, JSON.stringify(match));
    assert.equal(indexOf(match).find(connectionView(no)), undefined, JSON.stringify(match));
  }
  assert.equal(indexOf({}).find(connectionView()), 0);
});

test("the destination port is decided first, and there is no way back", () => {
  const index = indexOf({ destinationPort: 8080, serverNames: ["a.example"] }, { serverNames: ["b.example"] });
  assert.equal(index.find(connectionView({ sni: "a.example" })), 0);
  // Port 8080 has its own entry; that b.example is listed without a port does not help.
  assert.equal(index.find(connectionView({ sni: "b.example" })), undefined);
  assert.equal(index.find(connectionView({ sni: "b.example", localAddress: { host: "10.0.0.2", port: 1 } })), 1);
});

test("the most specific address, server name, protocol and source win", () => {
  const ranges = indexOf(
    {},
    { prefixRanges: [cidr("10.0.0.0/8")] },
    { prefixRanges: [cidr("10.0.0.0/24")] },
    { prefixRanges: [cidr("0.0.0.0/0")] },
  );
  assert.equal(ranges.find(connectionView()), 2);
  assert.equal(ranges.find(connectionView({ localAddress: { host: "10.9.0.1", port: 1 } })), 1);
  assert.equal(ranges.find(connectionView({ localAddress: { host: "192.0.2.1", port: 1 } })), 3);
  assert.equal(ranges.find(connectionView({ localAddress: { host: "::1", port: 1 } })), 0);
  const names = indexOf(
    {},
    { serverNames: ["*.example"] },
    { serverNames: ["*.b.example"] },
    { serverNames: ["a.b.example"] },
  );
  for (const [sni, chain] of [
    ["a.b.example", 3],
    ["c.b.example", 2],
    ["b.example", 1],
    ["example", 0],
    ["", 0],
  ] as const)
    assert.equal(names.find(connectionView({ sni })), chain, sni);
  // A server name is decided before the transport protocol.
  const order = indexOf(
    { transportProtocol: "tls" },
    { serverNames: ["a"] },
    { serverNames: ["a"], transportProtocol: "tls", applicationProtocols: ["istio"] },
  );
  assert.equal(order.find(connectionView({ sni: "a" })), 1);
  assert.equal(order.find(connectionView({ sni: "a", transportProtocol: "tls" })), undefined);
  assert.equal(order.find(connectionView({ sni: "b", transportProtocol: "tls" })), 0);
  // The connection's order of protocols decides, not the listener's.
  const protocols = indexOf({ applicationProtocols: ["http/1.1"] }, { applicationProtocols: ["h2"] });
  assert.equal(protocols.find(connectionView({ applicationProtocols: ["h2", "http/1.1"] })), 1);
});

test("chains that want the same connections are conflicts", () => {
  assert.deepEqual(indexOf({}, {}).conflicts, [[0, 1]]);
  assert.deepEqual(indexOf({ serverNames: ["a", "b"] }, { serverNames: ["B", "c"] }).conflicts, [[0, 1]]);
  assert.deepEqual(indexOf({ prefixRanges: [cidr("10.0.0.1/8")] }, { prefixRanges: [cidr("10.0.0.2/8")] }).conflicts, [
    [0, 1],
  ]);
  assert.deepEqual(
    indexOf({ serverNames: ["a", "a"] }, { serverNames: ["*.a"] }, { destinationPort: 1 }).conflicts,
    [],
  );
});

/** Envoy's rule, level by level: keep the chains whose value is the most specific that fits. */
function naive(matches: readonly FilterChainMatchConfig[], connection: ConnectionView): number | undefined {
  let left = matches.map((_, index) => index);
  const narrow = (score: (match: FilterChainMatchConfig) => number): void => {
    const scores = left.map((index) => score(matches[index] as FilterChainMatchConfig));
    const best = Math.max(-1, ...scores);
    left = left.filter((_, position) => best >= 0 && scores[position] === best);
  };
  const rangeScore = (ranges: readonly CidrRange[], host: string): number => {
    const ip = parseIp(host);
    if (ranges.length === 0) return 0;
    const bits = ranges
      .map((range) => new BoundCidr(range))
      .filter((range) => ip !== undefined && range.contains(ip))
      .map((range) => range.bits + 1);
    return Math.max(-1, ...bits);
  };
  narrow(({ destinationPort }) =>
    destinationPort === undefined ? 0 : destinationPort === connection.localAddress.port ? 1 : -1,
  );
  narrow(({ prefixRanges }) => rangeScore(prefixRanges, connection.localAddress.host));
  narrow(({ serverNames }) => {
    if (serverNames.length === 0) return 0;
    const fits = serverNames.map((name) =>
      name === connection.sni
        ? 1000
        : name.startsWith("*.") && connection.sni.endsWith(name.slice(1)) && connection.sni.length > name.length - 1
          ? name.length
          : -1,
    );
    return connection.sni === "" ? -1 : Math.max(...fits);
  });
  narrow(({ transportProtocol }) =>
    transportProtocol === "" ? 0 : transportProtocol === connection.transportProtocol ? 1 : -1,
  );
  narrow(({ applicationProtocols }) => {
    if (applicationProtocols.length === 0) return 0;
    const at = connection.applicationProtocols.findIndex((offered) => applicationProtocols.includes(offered));
    return at === -1 ? -1 : 100 - at;
  });
  narrow(({ directSourcePrefixRanges }) => rangeScore(directSourcePrefixRanges, connection.remoteAddress.host));
  const isLocal =
    connection.remoteAddress.host === connection.localAddress.host || connection.remoteAddress.host.startsWith("127.");
  narrow(({ sourceType }) => (sourceType === "any" ? 0 : (sourceType === "external") !== isLocal ? 1 : -1));
  narrow(({ sourcePrefixRanges }) => rangeScore(sourcePrefixRanges, connection.remoteAddress.host));
  narrow(({ sourcePorts }) =>
    sourcePorts.length === 0 ? 0 : sourcePorts.includes(connection.remoteAddress.port) ? 1 : -1,
  );
  return left[0];
}

test("the index finds what Envoy's rule says, level by level", () => {
  const range = fc.constantFrom("10.0.0.0/8", "10.0.0.0/24", "10.0.0.1/32", "192.0.2.0/24").map(cidr);
  const ranges = fc.oneof(
    { weight: 3, arbitrary: fc.constant<CidrRange[]>([]) },
    { weight: 1, arbitrary: fc.array(range, { minLength: 1, maxLength: 2 }) },
  );
  const optional = <T>(...values: T[]): fc.Arbitrary<T[]> =>
    fc.oneof(
      { weight: 2, arbitrary: fc.constant<T[]>([]) },
      { weight: 1, arbitrary: fc.subarray(values, { minLength: 1 }) },
    );
  const match = fc.record({
    destinationPort: fc.constantFrom(undefined, undefined, 80, 443),
    prefixRanges: ranges,
    serverNames: optional("a.x", "b.x", "*.x", "*.a.x"),
    transportProtocol: fc.constantFrom<"" | "tls" | "raw_buffer">("", "", "tls", "raw_buffer"),
    applicationProtocols: optional("h2", "istio"),
    directSourcePrefixRanges: ranges,
    sourceType: fc.constantFrom<FilterChainMatchConfig["sourceType"]>("any", "any", "same-ip-or-loopback", "external"),
    sourcePrefixRanges: ranges,
    sourcePorts: optional(1, 2),
  });
  const host = fc.constantFrom("10.0.0.1", "10.0.5.1", "192.0.2.7", "127.0.0.1", "203.0.113.1");
  const connection = fc.record({
    localAddress: fc.record({ host, port: fc.constantFrom(80, 443, 8080) }),
    remoteAddress: fc.record({ host, port: fc.constantFrom(1, 2, 3) }),
    sni: fc.constantFrom("", "a.x", "b.x", "c.a.x", "d.x", "other"),
    transportProtocol: fc.constantFrom<"tls" | "raw_buffer">("tls", "raw_buffer"),
    applicationProtocols: fc.subarray(["h2", "istio", "http/1.1"]),
  });
  let found = 0;
  fc.assert(
    fc.property(
      fc.array(match, { minLength: 1, maxLength: 5 }),
      fc.array(connection, { minLength: 1, maxLength: 10 }),
      (matches, connections) => {
        const index = indexOf(...matches);
        if (index.conflicts.length > 0) return;
        for (const parts of connections) {
          const view = connectionView(parts);
          const chain = index.find(view);
          if (chain !== undefined) found++;
          assert.equal(chain, naive(matches, view), JSON.stringify([matches, parts]));
        }
      },
    ),
    { numRuns: 2000 },
  );
  assert.ok(found > 1000);
});
