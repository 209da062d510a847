import type { WorkloadInstance } from "@heddle/compiler";
import { errorEntry, formatSpiffeId } from "@heddle/core";
import type { Node } from "@heddle/xds/api";
import type { Peer } from "../server/peer.ts";

/** `sidecar~127.0.0.1~reviews-v1-0.default~default.svc.cluster.local`, Istio's form of a node id. */
const nodeIdPattern = /^(sidecar|router)~[^~]+~([^~]+)\.([^.~]+)~[^~]+$/;

export type NodeVerdict =
  | {
      readonly ok: true;
      readonly proxyId: string;
      /** SPIFFE id that was proven. */
      readonly identity: string;
      /** How long the proof holds, epoch milliseconds. */
      readonly notAfterMs: number;
    }
  | { readonly ok: false; readonly reason: string };

/** SPIFFE id of a workload instance. */
export function workloadIdentity(instance: WorkloadInstance, trustDomain: string): string {
  return formatSpiffeId(trustDomain, instance.namespace, instance.serviceAccount);
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
): NodeVerdict {
  if (peer === undefined) return refuse(node, "it brought no certificate; get one with a join token first");
  if (peer.kind === "refused") return refuse(node, `its certificate is refused: ${peer.reason}`);
  const id = nodeIdPattern.exec(node.id)?.[2];
  if (id === undefined) {
    return refuse(node, "its id has not the form sidecar~<address>~<instance>.<namespace>~<domain>");
  }
  const instance = instances.get(id);
  if (instance === undefined) return refuse(node, `no instance ${id} is registered in this mesh`);
  const expected = workloadIdentity(instance, trustDomain);
  if (peer.identity !== expected) {
    return refuse(node, `it is the configuration of ${expected}, and the certificate says ${peer.identity}`);
  }
  return { ok: true, proxyId: id, identity: peer.identity, notAfterMs: peer.notAfterMs };
}

function refuse(node: Node, reason: string): NodeVerdict {
  return { ok: false, reason: `${errorEntry("node_not_authorized").text} (node "${node.id}"): ${reason}` };
}
