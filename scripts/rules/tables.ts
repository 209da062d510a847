import type { TurnedBranches } from "../turned-branch.ts";
import {
  authorizationFields,
  authorizationPolicy,
  authorizationPolicyRules,
  stringPatterns,
} from "./authorization-policy.ts";
import { ageOrder, ageReferences, conflictAge, defaults, protocols } from "./defaults.ts";
import { destinationRule, destinationRuleReferences, destinationRuleRules, hostOrder } from "./destination-rule.ts";
import {
  certificateLives,
  certificateRotation,
  peerAuthentication,
  peerAuthenticationRules,
  policyReferences,
  undeclaredPorts,
} from "./peer-authentication.ts";
import {
  sourceMatches,
  unreachableRoutes,
  virtualService,
  virtualServiceFields,
  virtualServiceReferences,
  virtualServiceRules,
} from "./virtual-service.ts";

/** What implements the rules of istio.md section 4, in its order. */
export const ruleTables: readonly TurnedBranches[] = [
  authorizationPolicy,
  authorizationFields,
  stringPatterns,
  authorizationPolicyRules,
  peerAuthentication,
  certificateLives,
  certificateRotation,
  undeclaredPorts,
  peerAuthenticationRules,
  policyReferences,
  virtualService,
  virtualServiceFields,
  sourceMatches,
  virtualServiceRules,
  unreachableRoutes,
  virtualServiceReferences,
  hostOrder,
  destinationRule,
  destinationRuleRules,
  destinationRuleReferences,
  defaults,
  protocols,
  conflictAge,
  ageOrder,
  ageReferences,
];
