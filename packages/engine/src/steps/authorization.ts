import type { BoundRbac, BoundRbacFilter, RbacDecision, RbacSubject, ShadowDecision } from "../bind/rbac.ts";
import { denialCode, denialDetails } from "../bind/rbac.ts";
import type { ConnectionView } from "../bind/connection.ts";
import { noHeaders } from "../bind/headers.ts";
import type { BoundFilterChain, ConnectionDecision } from "../bind/types.ts";
import { UNREADABLE, YES } from "../bind/verdict.ts";
import type { Action } from "./action.ts";
import type { DecisionTrace } from "./decision-trace.ts";
import type { RequestRecord } from "./request-record.ts";

/** Evaluates one rule set; every policy that was judged goes to `trace`. */
function evaluate(
  rules: BoundRbac,
  subject: RbacSubject,
  kind: "" | "shadow ",
  trace: DecisionTrace | undefined,
): RbacDecision {
  if (trace === undefined) return rules.evaluate(subject);
  const decision = rules.evaluate(subject, (policy, verdict) => {
    const { name, provenance } = policy;
    // What no resource stands behind has only its name on the wire, which the entry has anyway.
    const which = `${kind}${rules.action} policy${provenance === undefined ? "" : ` ${provenance.name}`}`;
    trace.add({
      kind: "policy",
      name,
      matched: verdict === YES,
      why:
        verdict === YES
          ? `${which} matches`
          : verdict === UNREADABLE
            ? `${which}: the request cannot be read by its conditions`
            : `${which} does not match`,
      provenance,
      policyAction: kind === "" ? rules.action : undefined,
    });
  });
  if (decision.policy === undefined) {
    const why = decision.allowed
      ? "no policy matches, so nothing is denied"
      : "no policy matches, and only what matches is allowed";
    trace.add({
      kind: "policy",
      name: `${kind}${rules.action}`,
      matched: !decision.allowed,
      why,
      provenance: undefined,
    });
  }
  return decision;
}

function shadowDecision(
  filter: BoundRbacFilter,
  rules: BoundRbac,
  subject: RbacSubject,
  trace: DecisionTrace | undefined,
): ShadowDecision {
  const { policy, allowed } = evaluate(rules, subject, "shadow ", trace);
  return {
    statPrefix: filter.config.shadowRulesStatPrefix,
    policy: policy?.name ?? "",
    result: allowed ? "allowed" : "denied",
  };
}

/** An HTTP RBAC filter: true to go on; false with a 403 in `out`. */
export function authorizeRequest(
  filter: BoundRbacFilter,
  req: RequestRecord,
  out: Action,
  trace: DecisionTrace | undefined,
): boolean {
  if (filter.shadowRules !== undefined) {
    const shadow = shadowDecision(filter, filter.shadowRules, req, trace);
    req.shadows.push(shadow);
    req.shadowPolicy = shadow.policy;
    req.shadowResult = shadow.result;
  }
  if (filter.rules === undefined) return true;
  const decision = evaluate(filter.rules, req, "", trace);
  if (decision.allowed) return true;
  out.respond(req, denialCode(decision));
  out.withDetails(req, denialDetails(decision));
  out.policy = decision.policy;
  req.decidedBy = decision.policy?.provenance ?? filter.config.provenance;
  return false;
}

const allowed: ConnectionDecision = {
  allowed: true,
  code: "",
  details: "",
  policy: undefined,
  shadows: [],
};

/** The network RBAC filters of a chain, before one byte goes to its terminal filter. */
export function authorizeConnection(
  chain: BoundFilterChain,
  connection: ConnectionView,
  trace?: DecisionTrace,
): ConnectionDecision {
  if (chain.networkRbac.length === 0) return allowed;
  const subject: RbacSubject = {
    method: "",
    path: "",
    authority: "",
    scheme: "",
    headers: noHeaders,
    connection,
    remoteHost: connection.remoteAddress.host,
  };
  const shadows: ShadowDecision[] = [];
  for (const filter of chain.networkRbac) {
    if (filter.shadowRules !== undefined) shadows.push(shadowDecision(filter, filter.shadowRules, subject, trace));
    if (filter.rules === undefined) continue;
    const decision = evaluate(filter.rules, subject, "", trace);
    if (!decision.allowed) {
      return {
        allowed: false,
        code: denialCode(decision),
        details: denialDetails(decision),
        policy: decision.policy,
        shadows,
      };
    }
  }
  return shadows.length === 0 ? allowed : { ...allowed, shadows };
}
