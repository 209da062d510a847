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

/**
 * The rules of istio.md section 4 that concern the kinds of issue 2: LocalMesh, VirtualService (http), DestinationRule (subsets, simple balancers, connection
 * pool, tls), PeerAuthentication, AuthorizationPolicy (ALLOW, DENY). The others are about tokens (4.1.6, 4.1.7, 4.2), ambient mode (4.1.9), CUSTOM (4.1.11),
 * aliases of trust domains, which are the mesh's (4.1.12), the Gateway API (4.8) and injection (4.10).
 */
export const rulesOfOurKinds: readonly string[] =
  "4.1.1 4.1.2 4.1.3 4.1.4 4.1.5 4.1.8 4.1.10 4.1.13 4.3 4.4 4.5 4.6 4.7 4.9".split(" ");

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
