import type { WorkloadInstance } from "@heddle/compiler";
import type { Node } from "@heddle/xds/api";
import type { Authorization } from "@heddle/xds/server";
import type { Peer } from "../server/peer.ts";

/** `sidecar~127.0.0.1~reviews-v1-0.default~default.svc.cluster.local`, Istio's form of a node id. */
const nodeIdPattern = /^(sidecar|router)~[^~]+~([^~]+)\.([^.~]+)~[^~]+$/;

/** The instance that a node id names; undefined when it has not Istio's form. */
export function instanceIdOf(nodeId: string): string | undefined {
  return nodeIdPattern.exec(nodeId)?.[2];
}

/** SPIFFE id of a workload instance. */
export function workloadIdentity(instance: WorkloadInstance, trustDomain: string): string {
  return `spiffe://${trustDomain}/ns/${instance.namespace}/sa/${instance.serviceAccount}`;
}

/**
 * A node may have only the configuration of the workload that its certificate names (design §5). Without a certificate it
 * may have nothing.
 */
export function authorizeNode(
  peer: Peer | undefined,
  node: Node,
  instances: ReadonlyMap<string, WorkloadInstance>,
  trustDomain: string,
): Authorization {
  if (peer === undefined) {
    return refuse(node, "it brought no certificate that this mesh's authority signed; get one with a join token first");
  }
  const id = instanceIdOf(node.id);
  if (id === undefined) {
    return refuse(node, "its id has not the form sidecar~<address>~<instance>.<namespace>~<domain>");
  }
  const instance = instances.get(id);
  if (instance === undefined) return refuse(node, `no instance ${id} is registered in this mesh`);
  const expected = workloadIdentity(instance, trustDomain);
  if (peer.identity !== expected) {
    return refuse(node, `it is the configuration of ${expected}, and the certificate says ${peer.identity}`);
  }
  return { ok: true, proxyId: id };
}

function refuse(node: Node, reason: string): Authorization {
  return { ok: false, reason: `node "${node.id}" may not have this configuration: ${reason}` };
}
