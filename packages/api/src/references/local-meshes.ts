import type { Finding } from "../finding.ts";
import { localMeshDefaults } from "../kinds/local-mesh/spec.ts";
import type { SetOptions } from "../options.ts";
import { serviceHost } from "../hosts.ts";
import type { LocalMeshResource } from "../resource.ts";
import { describePath } from "../schema/check.ts";
import { DestinationRuleIndex, governingRules } from "./governing-rules.ts";
import { describeResource, findingOn } from "./resource-set.ts";
import type { ResourceSet } from "./resource-set.ts";

const settings: readonly (readonly [keyof SetOptions, name: string])[] = [
  ["trustDomain", "trust domain"],
  ["rootNamespace", "root namespace"],
];

export function checkLocalMeshes(set: ResourceSet): Finding[] {
  const meshes = set.all("LocalMesh");
  const [mesh] = meshes;
  if (mesh !== undefined && meshes.length === 1)
    return [...settings.flatMap((setting) => checkSetting(set, mesh, setting)), ...checkEdge(set, mesh)];
  return meshes.map((each) => {
    const others = meshes.filter((other) => other !== each).map((other) => describeResource(other));
    return findingOn(each, "HDL0109", ["kind"], `There is another LocalMesh: ${others.join(", ")}.`);
  });
}

/** Where the files alone are judged the options come from this very LocalMesh; in a running mesh from its start. */
function checkSetting(
  set: ResourceSet,
  mesh: LocalMeshResource,
  [setting, name]: (typeof settings)[number],
): Finding[] {
  const wanted = mesh.spec[setting] ?? localMeshDefaults[setting];
  const inForce = set.options[setting];
  if (wanted === inForce) return [];
  const message = `The running mesh has the ${name} ${inForce}; ${wanted} needs a restart of the mesh.`;
  return [findingOn(mesh, "HDL0118", ["spec", setting], message)];
}

/** The edge ends HTTP and begins no TLS of its own accord, so that a workload which takes TLS alone understands nothing of what comes. */
function checkEdge(set: ResourceSet, mesh: LocalMeshResource): Finding[] {
  const { edge, workloads } = mesh.spec;
  if (edge === undefined) return [];
  const namespace = edge.namespace ?? localMeshDefaults.namespace;
  const host = serviceHost(edge.service, namespace);
  const secured = workloads.find(
    ({ service, namespace: own = localMeshDefaults.namespace, protocol }) =>
      service === edge.service && own === namespace && (protocol === "https" || protocol === "tls"),
  );
  if (secured === undefined || beginsTls(set, host, secured.port)) return [];
  const path = ["spec", "edge", "service"];
  const message = `${describePath(path)}: the edge sends HTTP without TLS, but the workload ${secured.name} of ${edge.service} takes TLS alone (protocol: ${secured.protocol}).`;
  const hint = `Write a DestinationRule for the host ${host} with trafficPolicy.tls.mode: SIMPLE and caCertificates, and a PeerAuthentication that makes its workloads PERMISSIVE, because under STRICT their proxies take no TLS but the mesh's. Callers of the mesh then get the TLS from their proxies, too, and call it by http.`;
  return [findingOn(mesh, "HDL0119", path, message, hint)];
}

/** Whether a DestinationRule makes the edge's proxy, which is a client of the root namespace, begin TLS; also where it does for a subset alone. */
function beginsTls(set: ResourceSet, host: string, port: number): boolean {
  const rules = governingRules(
    new DestinationRuleIndex(set.all("DestinationRule")),
    host,
    set.options.rootNamespace,
    set,
  );
  const general = rules.find(({ spec }) => spec.trafficPolicy !== undefined)?.spec.trafficPolicy;
  const policies = [general, ...rules.flatMap(({ spec }) => spec.subsets ?? []).map((subset) => subset.trafficPolicy)];
  return policies.some((policy) => {
    const onPort = policy?.portLevelSettings?.find((entry) => entry.port.number === port);
    const mode = (onPort ?? policy)?.tls?.mode;
    return mode === "SIMPLE" || mode === "MUTUAL";
  });
}
