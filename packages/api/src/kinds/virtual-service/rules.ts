import { parseDuration } from "@heddle/core";
import { RE2JS } from "re2js";
import { describePath } from "../../schema/check.ts";
import type { Check } from "../../schema/check.ts";
import type * as spec from "./spec.ts";

export const matchIsNotEmpty: Check<spec.StringMatch> = (match, context) => {
  if (match.exact === undefined && match.prefix === undefined && match.regex === undefined) {
    context.report("HDL0020", [], `${describePath(context.path)} sets none of exact, prefix and regex.`);
  }
};

/** istio.md 4.4: when a match names gateways, its source conditions are not looked at. */
export const matchGatewaysHideSource: Check<spec.HttpMatch> = (match, context) => {
  if (match.gateways === undefined || match.gateways.length === 0) return;
  for (const name of ["sourceLabels", "sourceNamespace"] as const) {
    if (match[name] === undefined) continue;
    const hint = "Remove gateways from the match: mesh is the default, and without it the condition counts.";
    context.report(
      "HDL0032",
      [name],
      `${describePath([...context.path, name])} has no effect, because the match names gateways.`,
      hint,
    );
  }
};

export const ignoreCaseNeedsUri: Check<spec.HttpMatch> = (match, context) => {
  if (match.ignoreUriCase !== true) return;
  if (match.uri?.exact !== undefined || match.uri?.prefix !== undefined) return;
  const message = `${describePath([...context.path, "ignoreUriCase"])} has no effect: it concerns exact and prefix of uri only.`;
  context.report("HDL0032", ["ignoreUriCase"], message, "Remove the field; in an expression write (?i).");
};

export const redirectChangesSomething: Check<spec.HttpRedirect> = (redirect, context) => {
  const names = ["uri", "prefixRewrite", "authority", "scheme", "port", "derivePort"] as const;
  if (names.some((name) => redirect[name] !== undefined)) return;
  context.report(
    "HDL0020",
    [],
    `${describePath(context.path)} sets none of ${names.join(", ")}; it would redirect to the same place.`,
  );
};

const redirectCodes: readonly number[] = [301, 302, 303, 307, 308];

export const redirectCodeIsRedirect: Check<spec.HttpRedirect> = (redirect, context) => {
  const code = redirect.redirectCode;
  if (code === undefined || redirectCodes.includes(code)) return;
  const message = `${describePath([...context.path, "redirectCode"])}: ${code} is not one of ${redirectCodes.join(", ")}.`;
  context.report("HDL0015", ["redirectCode"], message);
};

export const rewriteChangesSomething: Check<spec.HttpRewrite> = (rewrite, context) => {
  if (rewrite.uri !== undefined || rewrite.authority !== undefined || rewrite.uriRegexRewrite !== undefined) return;
  context.report("HDL0020", [], `${describePath(context.path)} sets none of uri, authority, uriRegexRewrite.`);
};

/** Envoy refuses a substitution that names a group the expression does not have. */
export const rewriteGroupsExist: Check<spec.RegexRewrite> = (rewrite, context) => {
  const groups = RE2JS.compile(rewrite.match).groupCount();
  for (const [written, digit] of rewrite.rewrite.matchAll(/\\(.?)/gs)) {
    const at = describePath([...context.path, "rewrite"]);
    if (digit === "\\") continue;
    if (digit === undefined || !/^\d$/.test(digit)) {
      const hint = "Write \\0 to \\9 for a group, or \\\\ for a backslash.";
      context.report("HDL0017", ["rewrite"], `${at}: ${JSON.stringify(written)} is not a group.`, hint);
    } else if (Number(digit) > groups) {
      const hint = "Count the parentheses of match, or use a lower number.";
      context.report("HDL0017", ["rewrite"], `${at} names group ${written}, but the expression has ${groups}.`, hint);
    }
  }
};

/** As Istio: retries that are switched off must not be configured. Absent attempts are none (istio.md 4.6). */
export const retriesAreOnWhenConfigured: Check<spec.HttpRetry> = (retries, context) => {
  if ((retries.attempts ?? 0) !== 0) return;
  for (const name of ["perTryTimeout", "retryOn", "backoff", "retryIgnorePreviousHosts"] as const) {
    if (retries[name] === undefined) continue;
    const message = `${describePath([...context.path, name])} is set, but ${retries.attempts === 0 ? "attempts: 0 switches" : "without attempts"} retries ${retries.attempts === 0 ? "off" : "are off"}.`;
    context.report("HDL0022", [name], message, "Set attempts to 1 or more, or remove the field.");
  }
};

export const faultDoesSomething: Check<spec.HttpFault> = (fault, context) => {
  if (fault.delay !== undefined || fault.abort !== undefined) return;
  context.report("HDL0020", [], `${describePath(context.path)} sets neither delay nor abort.`);
};

export const routeHasAnAction: Check<spec.HttpRoute> = (route, context) => {
  if (route.route !== undefined || route.redirect !== undefined || route.directResponse !== undefined) return;
  const message = `${describePath(context.path)} says when, but not what to do: none of route, redirect and directResponse is set.`;
  context.report("HDL0020", [], message, "Add route with a destination, or redirect, or directResponse.");
};

/** istio.md 4.4: with several destinations the weights must sum to more than 0. */
export const weightsAreAboveZero: Check<spec.HttpRoute> = (route, context) => {
  const destinations = route.route ?? [];
  if (destinations.length < 2 || destinations.some((each) => (each.weight ?? 0) > 0)) return;
  context.report(
    "HDL0021",
    ["route"],
    `The weights of the ${destinations.length} destinations in ${describePath([...context.path, "route"])} add up to zero.`,
  );
};

/** Fields that need an upstream; Istio refuses some of them beside a redirect and drops others in silence. */
const forwardingFields = ["rewrite", "timeout", "retries", "fault", "mirror", "mirrors"] as const;

export const actionsHaveOnlyTheirFields: Check<spec.HttpRoute> = (route, context) => {
  const action =
    route.redirect !== undefined ? "redirect" : route.directResponse !== undefined ? "directResponse" : undefined;
  if (action === undefined) return;
  for (const name of forwardingFields) {
    if (route[name] === undefined) continue;
    context.report(
      "HDL0019",
      [name],
      `${describePath([...context.path, name])} cannot be combined with ${action}: nothing is sent on.`,
      `Remove ${name} or ${action}.`,
    );
  }
};

export const mirrorPercentageNeedsMirror: Check<spec.HttpRoute> = (route, context) => {
  if (route.mirrorPercentage === undefined || route.mirror !== undefined) return;
  const hint = "Add mirror; entries of mirrors carry their own percentage.";
  context.report(
    "HDL0022",
    ["mirrorPercentage"],
    `${describePath([...context.path, "mirrorPercentage"])} is set without mirror.`,
    hint,
  );
};

/** A prefix can only be replaced where one was matched. */
export const prefixRewriteNeedsPrefix: Check<spec.HttpRoute> = (route, context) => {
  if (route.redirect?.prefixRewrite === undefined) return;
  const matches = route.match ?? [];
  if (matches.length > 0 && matches.every((match) => match.uri?.prefix !== undefined)) return;
  const message = `${describePath([...context.path, "redirect", "prefixRewrite"])} needs a uri.prefix in every match of the route.`;
  context.report("HDL0022", ["redirect", "prefixRewrite"], message, "Match by uri.prefix, or use redirect.uri.");
};

/** istio.md 4.4, issue 13705. */
export const faultHidesTimeoutAndRetries: Check<spec.HttpRoute> = (route, context) => {
  if (route.fault === undefined) return;
  for (const name of ["timeout", "retries"] as const) {
    if (route[name] === undefined) continue;
    context.report(
      "HDL0031",
      [name],
      `${describePath([...context.path, name])} holds for the requests that the route's fault passes over, not for those that it strikes.`,
    );
  }
};

export const perTryTimeoutFitsTimeout: Check<spec.HttpRoute> = (route, context) => {
  const whole = parseDuration(route.timeout ?? "");
  const each = parseDuration(route.retries?.perTryTimeout ?? "");
  if (whole === undefined || each === undefined || each < whole) return;
  const at = describePath([...context.path, "retries", "perTryTimeout"]);
  const message = `${at} (${route.retries?.perTryTimeout}) is not shorter than the route's timeout (${route.timeout}), so it never ends an attempt.`;
  context.report(
    "HDL0032",
    ["retries", "perTryTimeout"],
    message,
    "Make perTryTimeout shorter than timeout, or remove it.",
  );
};

/** As Istio: of several new hosts only one could be meant. */
export const hostIsChangedOnce: Check<spec.HttpRoute> = (route, context) => {
  const { set, add } = route.headers?.request ?? {};
  const changes = [
    ...(route.rewrite?.authority === undefined ? [] : [["rewrite", "authority"]]),
    ...(["set", "add"] as const).flatMap((operation) =>
      Object.keys((operation === "set" ? set : add) ?? {})
        .filter((name) => name === "host" || name === ":authority")
        .map((name) => ["headers", "request", operation, name]),
    ),
  ];
  const last = changes.at(-1);
  if (last === undefined || changes.length < 2) return;
  const names = changes.map((path) => describePath([...context.path, ...path]));
  context.report(
    "HDL0019",
    last,
    `The host of the request is changed ${changes.length} times: ${names.join(" and ")}.`,
  );
};
