import { hasLabels, type HttpMatch, type StringMatch } from "@heddle/api";
import type { HeaderMatcherSchema, MessageInitShape, RouteMatchSchema, StringMatcherSchema } from "@heddle/xds/api";
import { RE2JS } from "re2js";

export type RouteMatchInit = Omit<MessageInitShape<typeof RouteMatchSchema>, "$typeName">;
type HeaderMatcherInit = Omit<MessageInitShape<typeof HeaderMatcherSchema>, "$typeName">;
type StringMatcherInit = Omit<MessageInitShape<typeof StringMatcherSchema>, "$typeName">;

/** The calling workload, as far as matches can ask about it. */
export interface MatchSource {
  readonly labels: Readonly<Record<string, string>>;
  readonly namespace: string;
}

/**
 * Whether a match can hold for requests of this workload. Decided here, because a proxy's table holds only what concerns it.
 * With `gateways`, the source conditions are not looked at (istio.md 4.4).
 */
export function matchesSource(match: HttpMatch, source: MatchSource): boolean {
  if (match.gateways !== undefined && match.gateways.length > 0) return match.gateways.includes("mesh");
  if (match.sourceNamespace !== undefined && match.sourceNamespace !== source.namespace) return false;
  return hasLabels(source.labels, match.sourceLabels ?? {});
}

/**
 * One match entry for requests to `port`; undefined when it can never hold there.
 *
 * @param authority what the request's authority is taken to be, where the client could not name the service (ports mode);
 *   undefined: the proxy looks at the request's own
 */
export function compileMatch(
  match: HttpMatch | undefined,
  port: number,
  authority: string | undefined,
): RouteMatchInit | undefined {
  if (match === undefined) return { pathSpecifier: { case: "prefix", value: "/" } };
  if (match.port !== undefined && match.port !== port) return undefined;

  const headers: HeaderMatcherInit[] = [];
  for (const [name, condition] of Object.entries(match.headers ?? {})) headers.push(headerMatcher(name, condition));
  for (const [name, condition] of Object.entries(match.withoutHeaders ?? {})) {
    headers.push({
      ...headerMatcher(name, condition),
      invertMatch: true,
      // A request without the header has not got a header with this value.
      treatMissingHeaderAsEmpty: !isPresenceMatch(condition),
    });
  }
  headers.sort((a, b) => compareText(a.name ?? "", b.name ?? ""));
  if (match.method !== undefined) headers.push(headerMatcher(":method", match.method));
  if (match.authority !== undefined) {
    if (authority === undefined) headers.push(headerMatcher(":authority", match.authority));
    else if (!holds(match.authority, authority)) return undefined;
  }

  const queryParameters = Object.entries(match.queryParams ?? {})
    .sort(([a], [b]) => compareText(a, b))
    .map(([name, condition]) => ({
      name,
      queryParameterMatchSpecifier: isPresenceMatch(condition)
        ? { case: "presentMatch" as const, value: true }
        : { case: "stringMatch" as const, value: stringMatcher(condition) },
    }));

  return {
    pathSpecifier: pathSpecifier(match.uri),
    caseSensitive: match.ignoreUriCase !== true,
    headers,
    queryParameters,
  };
}

/** Whether nothing behind a route with this match can be reached (istio.md 4.4). */
export function isCatchAll(match: RouteMatchInit): boolean {
  const path = match.pathSpecifier;
  const isEveryPath =
    (path?.case === "prefix" && path.value === "/") || (path?.case === "safeRegex" && path.value.regex === ".*");
  return isEveryPath && (match.headers ?? []).length === 0 && (match.queryParameters ?? []).length === 0;
}

/** A prefix is a plain prefix of the text, not of path segments; a regex must match the whole path (istio.md 4.4). */
function pathSpecifier(uri: StringMatch | undefined): NonNullable<RouteMatchInit["pathSpecifier"]> {
  if (uri?.exact !== undefined) return { case: "path", value: uri.exact };
  if (uri?.regex !== undefined) return { case: "safeRegex", value: { regex: uri.regex } };
  return { case: "prefix", value: uri?.prefix ?? "/" };
}

function headerMatcher(name: string, condition: StringMatch): HeaderMatcherInit {
  return {
    name,
    headerMatchSpecifier: isPresenceMatch(condition)
      ? { case: "presentMatch", value: true }
      : { case: "stringMatch", value: stringMatcher(condition) },
  };
}

/** `{}` */
function isPresenceMatch(condition: StringMatch): boolean {
  return (condition.exact ?? condition.prefix ?? condition.regex) === undefined;
}

function stringMatcher(condition: StringMatch): StringMatcherInit {
  if (condition.exact !== undefined) return { matchPattern: { case: "exact", value: condition.exact } };
  if (condition.prefix !== undefined) return { matchPattern: { case: "prefix", value: condition.prefix } };
  return { matchPattern: { case: "safeRegex", value: { regex: condition.regex ?? "" } } };
}

function holds(condition: StringMatch, text: string): boolean {
  if (isPresenceMatch(condition)) return true;
  if (condition.exact !== undefined) return condition.exact === text;
  if (condition.prefix !== undefined) return text.startsWith(condition.prefix);
  return RE2JS.matches(condition.regex ?? "", text);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
