import assert from "node:assert/strict";
import {
  type Cluster,
  type ClusterLoadAssignment,
  DownstreamTlsContextSchema,
  type FilterChain,
  HttpConnectionManagerSchema,
  type Listener,
  type Route,
  UpstreamHttpProtocolOptionsSchema,
  UpstreamTlsContextSchema,
  unpackAny,
} from "@heddle/xds/api";
import { everyCapability } from "../audience.ts";
import { Compiler, type ProxyResources } from "../compiler.ts";
import type { Dialect, WorkloadInstance } from "../inputs.ts";
import { readScene } from "./scene.ts";

/**
 * A caller in each of two namespaces, a service with two versions, a service elsewhere, and an edge: what most rules need to be seen.
 */
const workloads = (mode: MeshMode): string => `
apiVersion: heddle.dev/v1alpha1
kind: LocalMesh
metadata: { name: test }
spec:
  mode: ${mode}
  edge: { service: web }
  workloads:
    - { name: web, service: web, version: v1, command: [web], port: 8080 }
    - { name: reviews-v1, service: reviews, version: v1, command: [reviews], port: 9080 }
    - { name: reviews-v2, service: reviews, version: v2, command: [reviews], port: 9080 }
    - { name: ratings, service: ratings, namespace: other, version: v1, command: [ratings], port: 7070 }
---
`;

export const reviewsHost = "reviews.default.svc.cluster.local";
export const ratingsHost = "ratings.other.svc.cluster.local";

type MeshMode = "ports" | "namespaces";

export type ChangeInstance = (instance: WorkloadInstance) => WorkloadInstance;

/** A mesh made of the resources of a test, compiled. */
export class TestMesh {
  readonly compiler = new Compiler();
  readonly instances: readonly WorkloadInstance[];
  readonly dialect: Dialect;

  constructor(
    resources: string,
    options: { dialect?: Dialect; mode?: MeshMode; change?: ChangeInstance; mayBeBroken?: boolean } = {},
  ) {
    this.dialect = options.dialect ?? "heddle";
    const { inputs, findings } = readScene(workloads(options.mode ?? "ports") + resources, "test.yaml");
    if (options.mayBeBroken !== true)
      assert.deepEqual(
        findings.filter(({ severity }) => severity === "error"),
        [],
      );
    this.instances = inputs.instances.map(options.change ?? ((instance) => instance));
    this.compiler.update({ ...inputs, instances: this.instances });
  }

  resources(instanceId: string): ProxyResources {
    return this.compiler.resourcesFor({ instanceId, dialect: this.dialect, capabilities: everyCapability });
  }

  /** Routes of one workload to a service; by default those of requests that name it. */
  routes(instanceId: string, host: string, named = true): Route[] {
    const table = this.resources(instanceId).routes.find(({ name }) => name.endsWith(`|${host}`));
    const virtualHost = table?.message.virtualHosts[named ? 0 : 1];
    assert.ok(virtualHost, `${instanceId} has no routes to ${host}`);
    return virtualHost.routes;
  }

  cluster(instanceId: string, name: string): Cluster {
    return this.findCluster(instanceId, name) ?? assert.fail(`${instanceId} has no cluster ${name}`);
  }

  findCluster(instanceId: string, name: string): Cluster | undefined {
    return this.resources(instanceId).clusters.find((resource) => resource.name === name)?.message;
  }

  /** Ports of the endpoints of a cluster. */
  endpointPorts(instanceId: string, cluster: string): number[] {
    return endpointsOf(this.assignment(instanceId, cluster)).map(({ port }) => port);
  }

  assignment(instanceId: string, cluster: string): ClusterLoadAssignment {
    const found = this.resources(instanceId).endpoints.find(({ name }) => name === cluster);
    assert.ok(found, `${instanceId} has no endpoints of ${cluster}`);
    return found.message;
  }

  inbound(instanceId: string): Listener {
    const found = this.resources(instanceId).listeners.find(({ name }) => name === "virtualInbound");
    assert.ok(found, `${instanceId} has no inbound listener`);
    return found.message;
  }

  /** The chains of a workload's inbound listener: which peers are let in, and how. */
  chains(instanceId: string): string[] {
    return this.inbound(instanceId).filterChains.map(({ name }) => name);
  }

  instance(id: string): WorkloadInstance {
    return this.instances.find((instance) => instance.id === id) ?? assert.fail(`no ${id}`);
  }
}

export function endpointsOf(assignment: ClusterLoadAssignment) {
  return assignment.endpoints.flatMap(({ lbEndpoints }) =>
    lbEndpoints.map(({ hostIdentifier, metadata }) => {
      assert.ok(hostIdentifier.case === "endpoint");
      const socket = hostIdentifier.value.address?.address;
      assert.ok(socket?.case === "socketAddress");
      return { port: Number(socket.value.portSpecifier.value), metadata: metadata?.filterMetadata ?? {} };
    }),
  );
}

/** Names of the HTTP filters of a chain, in order. */
export function httpFilterNames(chain: FilterChain): string[] {
  return connectionManagerOf(chain).httpFilters.map(({ name }) => name);
}

export function connectionManagerOf(chain: FilterChain) {
  const config = chain.filters.at(-1)?.configType;
  const manager = config?.case === "typedConfig" ? unpackAny(config.value, HttpConnectionManagerSchema) : undefined;
  return manager ?? assert.fail(`${chain.name} does not end in HTTP`);
}

type Socket = Cluster["transportSocket"];

export function clientTlsOf(socket: Socket) {
  return socket?.configType.case === "typedConfig"
    ? unpackAny(socket.configType.value, UpstreamTlsContextSchema)
    : undefined;
}

export function serverTlsOf(socket: Socket) {
  return socket?.configType.case === "typedConfig"
    ? unpackAny(socket.configType.value, DownstreamTlsContextSchema)
    : undefined;
}

export function httpOptionsOf(cluster: Cluster) {
  const packed = cluster.typedExtensionProtocolOptions["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];
  return packed && unpackAny(packed, UpstreamHttpProtocolOptionsSchema);
}

/** The SPIFFE names, exact or prefix, that a TLS context accepts. */
export function acceptedNames(tls: ReturnType<typeof clientTlsOf> | ReturnType<typeof serverTlsOf>): string[] {
  const validation = tls?.commonTlsContext?.validationContextType;
  assert.ok(validation?.case === "combinedValidationContext");
  return (validation.value.defaultValidationContext?.matchTypedSubjectAltNames ?? []).map(({ matcher }) =>
    typeof matcher?.matchPattern.value === "string" ? matcher.matchPattern.value : "",
  );
}

/** Where a route sends requests: a cluster, or clusters with weights. */
export function targetOf(route: Route | undefined): string | [string, number][] {
  assert.ok(route?.action.case === "route");
  const specifier = route.action.value.clusterSpecifier;
  if (specifier.case === "cluster") return specifier.value;
  assert.ok(specifier.case === "weightedClusters");
  return specifier.value.clusters.map(({ name, weight }) => [name, weight ?? 0]);
}

export function actionOf(route: Route | undefined) {
  assert.ok(route?.action.case === "route");
  return route.action.value;
}
