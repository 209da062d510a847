import assert from "node:assert/strict";
import { reviewsHost, TestMesh } from "./test-mesh.ts";
import { type Call, type Result, Traffic } from "./traffic.ts";

export const subsets = `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  subsets:
    - { name: v1, labels: { version: v1 } }
    - { name: v2, labels: { version: v2 } }
`;

interface VirtualServiceFields {
  name?: string;
  namespace?: string;
  created?: string;
  hosts?: string;
}

/** A VirtualService whose `http` is given as YAML flow lists. */
export function virtualService(
  http: string,
  { name = "vs", namespace = "default", created, hosts = "[reviews]" }: VirtualServiceFields = {},
) {
  return `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: ${name}
  namespace: ${namespace}
  ${created === undefined ? "" : `creationTimestamp: "${created}"`}
spec:
  hosts: ${hosts}
  http: ${http}
`;
}

export const toV1 = "route: [{ destination: { host: reviews, subset: v1 } }]";
export const toV2 = "route: [{ destination: { host: reviews, subset: v2 } }]";
export const v1 = `outbound|9080|v1|${reviewsHost}`;
export const v2 = `outbound|9080|v2|${reviewsHost}`;

export function trafficOf(resources: string): Traffic {
  return new Traffic(new TestMesh(subsets + resources));
}

export function call(resources: string, fields: Partial<Call> = {}): Result {
  return trafficOf(resources).call({ from: "web-0", to: "reviews.default", ...fields });
}

/** Which of two routes, to v1 when `match` holds and to v2 otherwise, requests take. */
export function matches(match: string, fields: Partial<Call>): boolean {
  const { status, cluster } = call(virtualService(`[{ match: ${match}, ${toV1} }, { ${toV2} }]`), fields);
  assert.equal(status, 200);
  return cluster === v1;
}
