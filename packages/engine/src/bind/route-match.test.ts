import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { PathMatch, RouteMatchConfig } from "../config/route.ts";
import type { HeaderMatch } from "../config/string-match.ts";
import { requestView } from "../testing/fixtures.ts";
import { withoutQuery } from "./path-match.ts";
import { queryParameter } from "./query-parameter-match.ts";
import { RouteMatcher } from "./route-match.ts";

const never = (): number => assert.fail("no number is to be drawn");

/** The conditions as they read, on ASCII. */
function naive(config: RouteMatchConfig, request: ReturnType<typeof requestView>): boolean {
  const path = request.path.split(/[?#]/)[0] ?? "";
  return (
    naivePath(config.path, path) &&
    config.headers.every((match) => naiveHeader(match, request.headers.get(match.name))) &&
    config.queryParameters.every(({ name, match, present }) => {
      const value = new Map(
        (request.path.split("?")[1] ?? "")
          .split("&")
          .reverse()
          .map((pair) => [pair.split("=")[0], pair.split("=").slice(1).join("=")] as const),
      ).get(name);
      if (match === undefined) return (value !== undefined) === present;
      return value !== undefined && match.kind === "exact" && value === match.value;
    })
  );
}

function naivePath(match: PathMatch, path: string): boolean {
  if (match.kind === "connect") return path === "";
  if (path === "") return false;
  if (match.kind === "regex") return new RegExp(`^(?:${match.regex})$`).test(path);
  const [own, wanted] = match.caseSensitive ? [path, match.value] : [path.toLowerCase(), match.value.toLowerCase()];
  if (match.kind === "exact") return own === wanted;
  if (match.kind === "prefix") return own.startsWith(wanted);
  return own === wanted || own.startsWith(`${wanted}/`);
}

function naiveHeader({ condition, invert, treatMissingAsEmpty }: HeaderMatch, value: string | undefined): boolean {
  const own = value ?? (treatMissingAsEmpty ? "" : undefined);
  if (condition.kind === "present") return ((own !== undefined) === condition.present) !== invert;
  if (own === undefined || condition.kind !== "string" || condition.match.kind !== "prefix") return false;
  return own.startsWith(condition.match.value) !== invert;
}

test("a bound match agrees with the conditions as they read", () => {
  const segment = fc.constantFrom("/a", "/b", "/A", "/ab", "/");
  const path = fc.array(segment, { minLength: 0, maxLength: 3 }).map((parts) => parts.join(""));
  const pathMatch: fc.Arbitrary<PathMatch> = fc.oneof(
    fc.record({
      kind: fc.constantFrom("prefix" as const, "exact" as const, "path-separated-prefix" as const),
      value: path,
      caseSensitive: fc.boolean(),
    }),
    fc.constant({ kind: "connect" as const }),
    fc.record({
      kind: fc.constant("regex" as const),
      regex: fc.constantFrom("/a.*", "/[ab]+", "/a/b|/b", ".*b", "/a?"),
    }),
  );
  const header: fc.Arbitrary<HeaderMatch> = fc.record({
    name: fc.constantFrom("x", "y"),
    condition: fc.oneof(
      fc.boolean().map((present) => ({ kind: "present" as const, present })),
      fc
        .constantFrom("", "1", "12")
        .map((value) => ({ kind: "string" as const, match: { kind: "prefix" as const, value, ignoreCase: false } })),
    ),
    invert: fc.boolean(),
    treatMissingAsEmpty: fc.boolean(),
  });
  const parameter = fc.record({
    name: fc.constantFrom("p", "q"),
    match: fc.constantFrom(undefined, { kind: "exact" as const, value: "1", ignoreCase: false }),
    present: fc.boolean(),
  });
  const config = fc.record({
    path: pathMatch,
    headers: fc.array(header, { maxLength: 2 }),
    queryParameters: fc.array(parameter, { maxLength: 2 }),
    runtimeFraction: fc.constant(undefined),
  });
  const query = fc.constantFrom("", "?", "?p", "?p=1", "?q=1&p=2", "?p=2&p=1", "?pp=1&q", "?p=1=1");
  const headers = fc.dictionary(fc.constantFrom("x", "y"), fc.constantFrom("", "1", "12", "2"));
  let matched = 0;
  fc.assert(
    fc.property(config, fc.array(fc.tuple(path, query, headers), { minLength: 1, maxLength: 6 }), (own, requests) => {
      const matcher = new RouteMatcher(own);
      for (const [requestPath, requestQuery, requestHeaders] of requests) {
        const view = requestView({ path: requestPath + requestQuery, headers: requestHeaders });
        const result = matcher.matches(view, withoutQuery(view.path), never);
        if (result) matched++;
        assert.equal(result, naive(own, view), JSON.stringify([own, view]));
        assert.equal(matcher.explainMismatch(view, withoutQuery(view.path)) === undefined, result);
      }
    }),
    { numRuns: 1500 },
  );
  assert.ok(matched > 100, String(matched));
});

test("a query parameter is read as it is written, the first of its name", () => {
  for (const [path, name, value] of [
    ["/", "a", undefined],
    ["/?", "a", undefined],
    ["/?a", "a", ""],
    ["/?a=", "a", ""],
    ["/?a=1", "a", "1"],
    ["/?ab=1", "a", undefined],
    ["/?b&a=2&a=3", "a", "2"],
    ["/?a=x=y", "a", "x=y"],
    ["/?a=%20", "a", "%20"],
    ["/?a=1#a=2", "a", "1"],
    ["/#?a=1", "a", "1"],
    ["/?&&a=1", "a", "1"],
    ["/?a=1&", "", ""],
  ] as const) {
    assert.equal(queryParameter(path, name), value, `${name} in ${path}`);
  }
});
