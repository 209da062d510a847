import type { CidrRange, Provenance } from "../config/address.ts";
import type { PermissionConfig, PrincipalConfig, RbacConfig, RbacFilterConfig } from "../config/rbac.ts";
import type { StringMatch } from "../config/string-match.ts";
import type { ConnectionView } from "./connection.ts";
import { BoundHeaderMatch, type RequestView } from "./header-matcher.ts";
import { BoundCidr, parseIp } from "./ip-address.ts";
import { withoutQuery } from "./path-match.ts";
import { bindStringMatch } from "./string-matcher.ts";
import { allOf, anyOf, NO, not, UNREADABLE, type Verdict, verdictOf, YES } from "./verdict.ts";

/** What policies judge: a request with its connection. */
export interface RbacSubject extends RequestView {
  readonly connection: ConnectionView;
  /** The client after trusted X-Forwarded-For hops. */
  readonly remoteHost: string;
}

type Condition = (subject: RbacSubject) => Verdict;

export interface BoundRbacPolicy {
  readonly name: string;
  /** From the name where it is Istio's (`ns[…]-policy[…]-rule[…]`), else of the filter. */
  readonly provenance: Provenance | undefined;
}

/** What shadow rules would have decided. */
export interface ShadowDecision {
  readonly statPrefix: string;
  /** Name of the policy behind it; empty: none matched. */
  readonly policy: string;
  readonly result: "allowed" | "denied";
}

/** One of the possible ends of an evaluation; made once, so that evaluating allocates nothing. */
export interface RbacDecision {
  readonly allowed: boolean;
  /** What matched, or could not be read; undefined: nothing matched. */
  readonly policy: BoundRbacPolicy | undefined;
  readonly isUnreadable: boolean;
}

interface Entry {
  readonly policy: BoundRbacPolicy;
  readonly matches: Condition;
  readonly whenMatched: RbacDecision;
  readonly whenUnreadable: RbacDecision;
}

/**
 * Envoy's RBAC engine. ALLOW lets through what some policy matches, DENY what none does. A policy that cannot be read
 * never lets anything through: it neither allows nor, under DENY, is taken for a mismatch.
 */
export class BoundRbac {
  readonly action: RbacConfig["action"];
  readonly policies: readonly BoundRbacPolicy[];
  readonly #entries: readonly Entry[];
  readonly #whenNone: RbacDecision;

  constructor(config: RbacConfig, provenance: Provenance | undefined) {
    this.action = config.action;
    const isAllowed = config.action !== "deny";
    this.#entries = config.policies.map(({ name, permissions, principals }) => {
      const policy: BoundRbacPolicy = { name, provenance: provenanceOf(name) ?? provenance };
      return {
        policy,
        matches: allOf([anyOf(permissions.map(bindPermission)), anyOf(principals.map(bindPrincipal))]),
        whenMatched: { allowed: isAllowed, policy, isUnreadable: false },
        whenUnreadable: { allowed: config.action === "log", policy, isUnreadable: true },
      };
    });
    this.policies = this.#entries.map((entry) => entry.policy);
    this.#whenNone = { allowed: config.action !== "allow", policy: undefined, isUnreadable: false };
  }

  /** `considered` hears of every policy that was judged, for explain. */
  evaluate(subject: RbacSubject, considered?: (policy: BoundRbacPolicy, verdict: Verdict) => void): RbacDecision {
    let result = this.#whenNone;
    for (let i = 0; i < this.#entries.length; i++) {
      const entry = this.#entries[i] as Entry;
      const verdict = entry.matches(subject);
      considered?.(entry.policy, verdict);
      if (verdict === YES) return entry.whenMatched;
      if (verdict === UNREADABLE && result === this.#whenNone) result = entry.whenUnreadable;
    }
    return result;
  }
}

/** The rules and shadow rules of one filter, or of one override of it. */
export interface BoundRbacFilter {
  readonly config: RbacFilterConfig;
  readonly rules: BoundRbac | undefined;
  readonly shadowRules: BoundRbac | undefined;
}

export function bindRbacFilter(config: RbacFilterConfig): BoundRbacFilter {
  return {
    config,
    rules: config.rules === undefined ? undefined : new BoundRbac(config.rules, config.provenance),
    shadowRules: config.shadowRules === undefined ? undefined : new BoundRbac(config.shadowRules, config.provenance),
  };
}

/** What denied: a policy that says so, or one that could not be read, be it by the compiler or for this request. */
export function denialCode({ isUnreadable, policy }: RbacDecision): "rbac_denied" | "policy_unreadable" {
  return isUnreadable || policy?.provenance?.rule === "unreadable" ? "policy_unreadable" : "rbac_denied";
}

/** `rbac_access_denied_matched_policy[…]`, blanks in names replaced as Envoy does. */
export function denialDetails(decision: RbacDecision): string {
  return `rbac_access_denied_matched_policy[${decision.policy?.name.replaceAll(/\s/g, "_") ?? "none"}]`;
}

/** Istio's names of rules, and those of resources that could not be read, so that everything is denied in their stead. */
const istioPolicyName = /^ns\[([^\]]*)\]-(policy|peer-authentication)\[([^\]]*)\]-rule\[([^\]]*)\]$/;
const kinds: Readonly<Record<string, string>> = {
  policy: "AuthorizationPolicy",
  "peer-authentication": "PeerAuthentication",
};

function provenanceOf(name: string): Provenance | undefined {
  const match = istioPolicyName.exec(name);
  if (match === null) return undefined;
  const [, namespace = "", kind = "", policy = "", rule = ""] = match;
  return { kind: kinds[kind] ?? "", namespace, name: policy, rule, generation: undefined };
}

function bindPermission(config: PermissionConfig): Condition {
  switch (config.kind) {
    case "any":
      return () => YES;
    case "and":
      return allOf(config.of.map(bindPermission));
    case "or":
      return anyOf(config.of.map(bindPermission));
    case "not": {
      const inner = bindPermission(config.of);
      return (subject) => not(inner(subject));
    }
    case "header":
      return bindHeader(config.header);
    case "url-path":
      return bindUrlPath(config.match);
    case "destination-ip":
      return bindIp(config.range, (subject) => subject.connection.localAddress.host);
    case "destination-port":
      return ({ connection: { localAddress } }) =>
        verdictOf(localAddress.port >= config.start && localAddress.port < config.end);
    case "requested-server-name": {
      const test = bindStringMatch(config.match);
      return (subject) => test(subject.connection.sni);
    }
  }
}

function bindPrincipal(config: PrincipalConfig): Condition {
  switch (config.kind) {
    case "any":
      return () => YES;
    case "and":
      return allOf(config.of.map(bindPrincipal));
    case "or":
      return anyOf(config.of.map(bindPrincipal));
    case "not": {
      const inner = bindPrincipal(config.of);
      return (subject) => not(inner(subject));
    }
    case "authenticated":
      return config.match === undefined
        ? ({ connection }) => verdictOf(connection.peer !== undefined)
        : bindAuthenticated(config.match);
    case "direct-remote-ip":
      return bindIp(config.range, (subject) => subject.connection.directRemoteAddress.host);
    case "remote-ip":
      return bindIp(config.range, (subject) => subject.remoteHost);
    case "header":
      return bindHeader(config.header);
    case "url-path":
      return bindUrlPath(config.match);
  }
}

function bindHeader(config: ConstructorParameters<typeof BoundHeaderMatch>[0]): Condition {
  const match = new BoundHeaderMatch(config);
  if (config.name === ":path" && config.condition.kind !== "present")
    return (subject) => (subject.path === "" ? UNREADABLE : match.verdict(subject));
  return (subject) => match.verdict(subject);
}

/** A request without a path (`*`, or none) cannot be judged by one. */
function bindUrlPath(config: StringMatch): Condition {
  const test = bindStringMatch(config);
  return (subject) => (subject.path.charCodeAt(0) === 47 ? test(withoutQuery(subject.path)) : UNREADABLE);
}

function bindIp(config: CidrRange, read: (subject: RbacSubject) => string): Condition {
  const range = new BoundCidr(config);
  return (subject) => {
    const ip = parseIp(read(subject));
    return ip === undefined ? UNREADABLE : verdictOf(range.contains(ip));
  };
}

/** As Envoy's AuthenticatedMatcher: any URI SAN, any DNS SAN, or the subject. Without a verified peer: NO. */
function bindAuthenticated(config: StringMatch): Condition {
  const test = bindStringMatch(config);
  return ({ connection: { peer } }) => {
    if (peer === undefined) return NO;
    let result = test(peer.subject);
    for (let i = 0; i < peer.uriSans.length && result !== YES; i++)
      result = stronger(result, test(peer.uriSans[i] as string));
    for (let i = 0; i < peer.dnsSans.length && result !== YES; i++)
      result = stronger(result, test(peer.dnsSans[i] as string));
    return result;
  };
}

function stronger(a: Verdict, b: Verdict): Verdict {
  if (a === YES || b === YES) return YES;
  return a === UNREADABLE || b === UNREADABLE ? UNREADABLE : NO;
}
