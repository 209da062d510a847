export { Compiler, type ProxyResources } from "./compiler.ts";
export { contentHash } from "./content-hash.ts";
export type {
  CompiledResource,
  Dialect,
  Interception,
  MeshInputs,
  MeshSettings,
  ProxyNode,
  WorkloadInstance,
} from "./inputs.ts";
export {
  edgeRouteTableName,
  inboundClusterName,
  inboundListenerName,
  interceptionPorts,
  listenerName,
  mutualTlsServerName,
  outboundClusterName,
  outboundRouteTableName,
  parsePolicyName,
  passthroughSources,
  type PolicyReference,
  policyRuleName,
} from "./names.ts";
export { provenanceKey, rulePath } from "./provenance.ts";
