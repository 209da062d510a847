import { RE2JS } from "re2js";
import { describePath } from "../../schema/check.ts";
import type { Check } from "../../schema/check.ts";
import type * as spec from "./spec.ts";

/**
 * istio.md 4.4: the first match wins, so a route is never reached when routes above it match all that it matches.
 *
 * What is found is certain, and not all is found: each entry of the route's match must be implied, condition by condition, by one
 * entry above. Several entries above that only together leave nothing over are not seen, nor is one expression within another;
 * an expression implies itself, and a text that it matches.
 */
export const laterRoutesCanMatch: Check<spec.VirtualServiceSpec> = (service, context) => {
  const routes = service.http ?? [];
  for (const [index, route] of routes.entries()) {
    const covering = findCovering(route, routes.slice(0, index));
    if (covering === undefined) continue;
    const pathOf = (number: number): string => describePath([...context.path, "http", number]);
    const above = [...new Set(covering)].map(pathOf).join(" and ");
    const catchAll = covering.find((number) => entriesOf(routes[number]).some((entry) => implies({}, entry)));
    const what = catchAll === undefined ? "every request that it does" : "every request";
    const matches = new Set(covering).size === 1 ? "matches" : "match";
    context.report("HDL0030", ["http", index], `${pathOf(index)} can never match: ${above} ${matches} ${what}.`);
    // All that follows is as unreachable, for the same reason.
    if (catchAll !== undefined) return;
  }
};

/** For each entry of the route the number of the first route above with an entry that it implies; undefined when one has none. */
function findCovering(route: spec.HttpRoute, above: readonly spec.HttpRoute[]): number[] | undefined {
  const covering: number[] = [];
  for (const entry of entriesOf(route)) {
    const number = above.findIndex((other) => entriesOf(other).some((wider) => implies(entry, wider)));
    if (number < 0) return undefined;
    covering.push(number);
  }
  return covering;
}

function entriesOf(route: spec.HttpRoute | undefined): readonly spec.HttpMatch[] {
  return route?.match === undefined || route.match.length === 0 ? [{}] : route.match;
}

/** Whether every request that `narrow` matches is matched by `wide`, too. */
function implies(narrow: spec.HttpMatch, wide: spec.HttpMatch): boolean {
  return (
    impliesUri(narrow, wide) &&
    (isAnything(wide.method) || impliesText(narrow.method, wide.method)) &&
    (isAnything(wide.authority) || impliesText(narrow.authority, wide.authority, false)) &&
    impliesEach(narrow.headers, wide.headers) &&
    impliesEach(narrow.queryParams, wide.queryParams) &&
    // What must not be there turns the implication round.
    Object.entries(wide.withoutHeaders ?? {}).every(([name, match]) => {
      const own = narrow.withoutHeaders?.[name];
      return own !== undefined && impliesText(match, own);
    }) &&
    (wide.port === undefined || wide.port === narrow.port) &&
    impliesSource(narrow, wide)
  );
}

function impliesUri(narrow: spec.HttpMatch, wide: spec.HttpMatch): boolean {
  if (isAnything(wide.uri) || wide.uri.prefix === "/") return true;
  if (narrow.uri === undefined) return false;
  if (wide.ignoreUriCase === true) return impliesText(lowered(narrow.uri), lowered(wide.uri), false);
  if (narrow.ignoreUriCase !== true || narrow.uri.regex !== undefined) return impliesText(narrow.uri, wide.uri);
  // It matches letters of either case: only a text without letters is the same in both.
  const text = wide.uri.exact ?? wide.uri.prefix;
  return text !== undefined && text.toLowerCase() === text.toUpperCase() && impliesText(narrow.uri, wide.uri);
}

function lowered({ exact, prefix, regex }: spec.StringMatch): spec.StringMatch {
  return {
    ...(exact === undefined ? {} : { exact: exact.toLowerCase() }),
    ...(prefix === undefined ? {} : { prefix: prefix.toLowerCase() }),
    // Not concerned: it stays as it is, and implies only itself.
    ...(regex === undefined ? {} : { regex }),
  };
}

/** Ignored where the match names gateways (istio.md 4.4). */
function impliesSource(narrow: spec.HttpMatch, wide: spec.HttpMatch): boolean {
  if ((wide.gateways?.length ?? 0) > 0) return true;
  const own = (narrow.gateways?.length ?? 0) > 0 ? {} : narrow;
  return (
    (wide.sourceNamespace === undefined || wide.sourceNamespace === own.sourceNamespace) &&
    Object.entries(wide.sourceLabels ?? {}).every(([name, value]) => own.sourceLabels?.[name] === value)
  );
}

function impliesEach(
  narrow: Readonly<Record<string, spec.StringMatch>> | undefined,
  wide: Readonly<Record<string, spec.StringMatch>> | undefined,
): boolean {
  return Object.entries(wide ?? {}).every(([name, match]) => {
    const own = narrow?.[name];
    return own !== undefined && impliesText(own, match);
  });
}

/** Of what every request has. */
function isAnything(match: spec.StringMatch | undefined): match is undefined {
  return match === undefined || match.prefix === "" || match.regex === ".*";
}

/** @param canTry whether an expression may be tried on a text: not where letters of either case are the same */
function impliesText(narrow: spec.StringMatch | undefined, wide: spec.StringMatch, canTry = true): boolean {
  if (narrow === undefined) return false;
  const { exact, prefix, regex } = wide;
  if (exact !== undefined) return narrow.exact === exact;
  if (prefix !== undefined) return (narrow.exact ?? narrow.prefix)?.startsWith(prefix) === true;
  // No value is asked for: that there is one is enough.
  if (regex === undefined) return true;
  return regex === narrow.regex || (canTry && narrow.exact !== undefined && isMatch(regex, narrow.exact));
}

function isMatch(regex: string, text: string): boolean {
  try {
    return RE2JS.matches(regex, text);
  } catch {
    // Not an expression, which another check says.
    return false;
  }
}
