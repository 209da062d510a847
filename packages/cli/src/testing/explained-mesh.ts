import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { MeshOnPaper } from "../explain/mesh-on-paper.ts";
import { readQuestion } from "../explain/question.ts";
import { explainSource } from "../explain/source-side.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** Resources of a mesh that `heddle explain` is asked about, and nobody runs: web calls api, in two versions, and gone, which has no replica. */
export const mesh = `apiVersion: heddle.dev/v1alpha1
kind: LocalMesh
metadata: { name: shop }
spec:
  edge: { service: web }
  workloads:
    - { name: web, service: web, command: [node], port: 80, calls: [api, gone.shop] }
    - { name: api-v1, service: api, version: v1, command: [node], port: 80, replicas: 2 }
    - { name: api-v2, service: api, version: v2, command: [node], port: 80 }
    - { name: gone, service: gone, namespace: shop, command: [node], port: 80, replicas: 0 }
`;

/** A redirect, faults and other routes of api's, one for each path. */
export const routes = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: api }
spec:
  hosts: [api]
  http:
    - name: beta
      match: [{ headers: { x-beta: { exact: "1" } } }]
      directResponse: { status: 418, body: { string: tea } }
    - name: moved
      match: [{ uri: { prefix: /old } }]
      redirect: { uri: /new }
    - name: broken
      match: [{ uri: { prefix: /broken } }]
      fault: { abort: { httpStatus: 555, percentage: { value: 100 } } }
      route: [{ destination: { host: api } }]
    - name: sometimes
      match: [{ uri: { prefix: /sometimes } }]
      fault: { abort: { httpStatus: 555, percentage: { value: 40 } } }
      retries: { attempts: 7, retryOn: 5xx }
      route: [{ destination: { host: api } }]
    - name: slow
      match: [{ uri: { prefix: /slow } }]
      fault: { delay: { fixedDelay: 5s, percentage: { value: 100 } } }
      rewrite: { uri: /fast }
      route: [{ destination: { host: api } }]
    - name: nowhere
      match: [{ uri: { prefix: /nowhere } }]
      route: [{ destination: { host: gone.shop.svc.cluster.local } }]
`;

/** A policy of this action for the second version of api. */
export const policy = (name: string, action: string, rules: string): string => `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name} }
spec:
  selector: { matchLabels: { app: api, version: v2 } }
  action: ${action}
  rules: ${rules}
---
`;

/** What the source's side says of a request in {@link mesh} with these resources beside it. */
export async function explain(
  context: TestContext,
  resources: string,
  method: string,
  url: string,
  from = "web",
  headers: string[] = [],
) {
  const paper = await MeshOnPaper.read(temporaryFolder(context, { "mesh.yaml": mesh, "resources.yaml": resources }));
  assert.deepEqual(
    paper.findings.filter(({ severity }) => severity === "error"),
    [],
  );
  return explainSource(paper, readQuestion(paper, { method, url, from, headers }));
}
