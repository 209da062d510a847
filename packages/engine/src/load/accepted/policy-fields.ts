import type { AcceptedFields } from "../field-walker.ts";
import { onlyDefault, overrides, rbac, withoutEffect, proven, enumerated } from "./proofs.ts";

const rbacActions = "engine/src/steps/authorization.test.ts › ALLOW, DENY and LOG decide as Envoy's";
const rbacShadow = "engine/src/steps/authorization.test.ts › shadow rules are reported and never enforced";
const networkRbac = "engine/src/steps/authorization.test.ts › a network filter judges the connection";
const faults =
  "engine/src/steps/fault-injection.test.ts › delays and aborts hit their share of the requests that they concern";
const faultLimit = "engine/src/steps/fault-injection.test.ts › no more faults than allowed are active at once";

/** Authorization and faults. */
export const policyFields: AcceptedFields = {
  "envoy.extensions.filters.http.rbac.v3.RBAC": {
    ...proven(rbacActions, "rules"),
    ...proven(rbacShadow, "shadow_rules", "shadow_rules_stat_prefix"),
  },
  "envoy.extensions.filters.http.rbac.v3.RBACPerRoute": proven(overrides, "rbac"),
  "envoy.extensions.filters.network.rbac.v3.RBAC": {
    ...proven(networkRbac, "rules", "stat_prefix"),
    ...proven(rbacShadow, "shadow_rules", "shadow_rules_stat_prefix"),
    ...enumerated(withoutEffect(onlyDefault, networkRbac), "enforcement_type", "ONE_TIME_ON_FIRST_BYTE"),
  },
  "envoy.config.rbac.v3.RBAC": proven(rbacActions, "action", "policies"),
  "envoy.config.rbac.v3.Policy": proven(rbacActions, "permissions", "principals"),
  "envoy.config.rbac.v3.Permission": proven(
    rbac,
    "and_rules",
    "or_rules",
    "any",
    "header",
    "url_path",
    "destination_ip",
    "destination_port",
    "destination_port_range",
    "not_rule",
    "requested_server_name",
  ),
  "envoy.config.rbac.v3.Permission.Set": proven(rbac, "rules"),
  "envoy.type.v3.Int32Range": proven(rbac, "start", "end"),
  "envoy.config.rbac.v3.Principal": proven(
    rbac,
    "and_ids",
    "or_ids",
    "any",
    "authenticated",
    "direct_remote_ip",
    "remote_ip",
    "header",
    "url_path",
    "not_id",
  ),
  "envoy.config.rbac.v3.Principal.Set": proven(rbac, "ids"),
  "envoy.config.rbac.v3.Principal.Authenticated": proven(rbac, "principal_name"),

  "envoy.extensions.filters.http.fault.v3.HTTPFault": {
    ...proven(faults, "delay", "abort", "upstream_cluster", "headers"),
    ...proven(faultLimit, "max_active_faults"),
  },
  "envoy.extensions.filters.common.fault.v3.FaultDelay": proven(faults, "fixed_delay", "percentage"),
  "envoy.extensions.filters.http.fault.v3.FaultAbort": proven(faults, "http_status", "percentage"),
};
