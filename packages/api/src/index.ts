export { parseAccepted, serializeAccepted } from "./accepted-codec.ts";
export type { RestoredSet } from "./accepted-codec.ts";
export { acceptResources, isSameContent } from "./accepted-set.ts";
export type { Acceptance } from "./accepted-set.ts";
export { compareAge } from "./age.ts";
export { describeBrokenSecurity } from "./broken-security.ts";
export type { BrokenSecurity } from "./broken-security.ts";
export { canonicalJson } from "./canonical-json.ts";
export { describeIdentity, describePlace, identityKey, makeFinding } from "./finding.ts";
export type { Finding, ResourceIdentity, SourceLocation } from "./finding.ts";
export { findingCodes } from "./finding-codes.ts";
export type { FindingCode, FindingDescription, Severity } from "./finding-codes.ts";
export { clusterDomain, compareHostSpecificity, hostCovers, resolveHost, serviceHost } from "./hosts.ts";
export type * from "./kinds/authorization-policy/spec.ts";
export type * from "./kinds/destination-rule/spec.ts";
export type * from "./kinds/local-mesh/spec.ts";
export { carriedProtocols, edgeServiceAccount, localMeshDefaults } from "./kinds/local-mesh/spec.ts";
export type * from "./kinds/peer-authentication/spec.ts";
export type { WorkloadSelector } from "./kinds/selector.ts";
export type * from "./kinds/virtual-service/spec.ts";
export { dryRunAnnotation } from "./metadata.ts";
export type { SetOptions } from "./options.ts";
export { parseFile, unreadableFile } from "./parse-file.ts";
export type { BrokenDocument, ParsedFile } from "./parse-file.ts";
export { hasLabels, servicesOf, workloadLabels, workloadsOf } from "./references/services.ts";
export type { KnownService, KnownWorkload } from "./references/services.ts";
export { missingTlsFiles } from "./references/tls-files.ts";
export { identityOf } from "./resource.ts";
export type {
  AuthorizationPolicyResource,
  BrokenPolicy,
  DestinationRuleResource,
  Kind,
  LocalMeshResource,
  Metadata,
  ParsedResource,
  PeerAuthenticationResource,
  Resource,
  SecurityKind,
  VirtualServiceResource,
} from "./resource.ts";
export { addressBits } from "./schema/ip-address.ts";
export { validateSet } from "./validate-set.ts";
