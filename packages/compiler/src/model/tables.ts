import {
  type AuthorizationPolicySpec,
  type BrokenPolicy,
  canonicalJson,
  type DestinationRuleSpec,
  dryRunAnnotation,
  type Metadata,
  type ParsedResource,
  type PeerAuthenticationSpec,
  type VirtualServiceSpec,
} from "@heddle/api";
import type { MeshInputs, MeshSettings, WorkloadInstance } from "../inputs.ts";
import type { InputTable, QueryGraph } from "../query-graph.ts";
import { isDeepEqual } from "../structural-equality.ts";

/** What is compiled of a resource: never where it stands in a file. */
export interface Rule<Spec> {
  readonly metadata: Metadata;
  readonly spec: Spec;
}

type UnreadablePolicy = Pick<BrokenPolicy, "kind" | "namespace" | "name" | "selector">;

/** The inputs, by kind and key; `namespace/name` for resources. */
export class MeshTables {
  readonly settings: InputTable<MeshSettings>;
  readonly instances: InputTable<WorkloadInstance>;
  readonly virtualServices: InputTable<Rule<VirtualServiceSpec>>;
  readonly destinationRules: InputTable<Rule<DestinationRuleSpec>>;
  readonly peerAuthentications: InputTable<Rule<PeerAuthenticationSpec>>;
  readonly authorizationPolicies: InputTable<Rule<AuthorizationPolicySpec>>;
  readonly unreadable: InputTable<UnreadablePolicy>;

  constructor(graph: QueryGraph) {
    this.settings = graph.table<MeshSettings>(isDeepEqual);
    this.instances = graph.table<WorkloadInstance>(isDeepEqual);
    this.virtualServices = graph.table<Rule<VirtualServiceSpec>>(isDeepEqual);
    this.destinationRules = graph.table<Rule<DestinationRuleSpec>>(isDeepEqual);
    this.peerAuthentications = graph.table<Rule<PeerAuthenticationSpec>>(isDeepEqual);
    this.authorizationPolicies = graph.table<Rule<AuthorizationPolicySpec>>(isDeepEqual);
    this.unreadable = graph.table<UnreadablePolicy>(isDeepEqual);
  }

  replace(inputs: MeshInputs): void {
    const virtualServices = new Map<string, Rule<VirtualServiceSpec>>();
    const destinationRules = new Map<string, Rule<DestinationRuleSpec>>();
    const peerAuthentications = new Map<string, Rule<PeerAuthenticationSpec>>();
    const authorizationPolicies = new Map<string, Rule<AuthorizationPolicySpec>>();
    for (const resource of inputs.resources) {
      const key = `${resource.metadata.namespace}/${resource.metadata.name}`;
      const metadata = relevantMetadata(resource);
      if (resource.kind === "VirtualService") virtualServices.set(key, { metadata, spec: resource.spec });
      else if (resource.kind === "DestinationRule") destinationRules.set(key, { metadata, spec: resource.spec });
      else if (resource.kind === "PeerAuthentication") peerAuthentications.set(key, { metadata, spec: resource.spec });
      else if (resource.kind === "AuthorizationPolicy")
        authorizationPolicies.set(key, { metadata, spec: resource.spec });
    }
    this.settings.replace(new Map([["", inputs.settings]]));
    this.instances.replace(new Map(inputs.instances.map((instance) => [instance.id, instance])));
    this.virtualServices.replace(virtualServices);
    this.destinationRules.replace(destinationRules);
    this.peerAuthentications.replace(peerAuthentications);
    this.authorizationPolicies.replace(authorizationPolicies);
    this.unreadable.replace(
      new Map(
        inputs.broken.map(({ kind, namespace, name, selector }) => [
          // Of what cannot be read several may have one name, or none, and each selects workloads of its own.
          canonicalJson([kind, namespace, name, selector ?? null]),
          { kind, namespace, name, selector },
        ]),
      ),
    );
  }
}

/** Name, age and generation; of annotations only what has a meaning. */
function relevantMetadata({ metadata }: ParsedResource): Metadata {
  const { name, namespace, creationTimestamp, generation, annotations } = metadata;
  const value = annotations[dryRunAnnotation];
  return {
    name,
    namespace,
    generation,
    labels: {},
    annotations: value === undefined ? {} : { [dryRunAnnotation]: value },
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
  };
}
