import type { AcceptedField } from "../field-walker.ts";

export type Fields = Readonly<Record<string, AcceptedField>>;

/** What may prove a field. */
export type Proofs = Pick<AcceptedField, "proof" | "loadProof" | "withoutEffect">;

/** A test that begins with the loaded configuration, and the one that proves that values get into it. */
export function through(loadProof: string, proof: string): Proofs {
  return { proof, loadProof };
}

export function withoutEffect(reason: string, proof: string): Proofs {
  return { proof, withoutEffect: reason };
}

function proofsOf(proof: string | Proofs): Proofs {
  return typeof proof === "string" ? { proof } : proof;
}

export function proven(proof: string | Proofs, ...names: readonly string[]): Fields {
  return Object.fromEntries(names.map((name) => [name, proofsOf(proof)]));
}

export function enumerated(proof: string | Proofs, name: string, ...values: readonly string[]): Fields {
  return { [name]: { ...proofsOf(proof), values } };
}

// Titles of tests that prove fields of several families, and reasons.
export const nameForPeople = "extensions are known by their type; the name is for people";
export const onlyDefault = "the only value that is supported is the default";
export const provenance = "engine/src/load/listener.test.ts › provenance comes from the metadata of heddle.dev";
export const overrides = "engine/src/steps/decide-request.test.ts › the most specific override of a filter wins";
export const retryLimits =
  "engine/src/steps/retry.test.ts › retries end at the policy's number and at the cluster's limit";
export const rbac = "engine/src/steps/authorization.test.ts › each permission and principal matches what it names";
export const served = "proxy/src/supervisor/supervisor.test.ts › the example bootstrap is served";
export const statistics =
  "proxy/src/admin/admin.test.ts › statistics come as text, JSON and for Prometheus, and can be filtered";
export const standardMetrics = "proxy/src/worker/mesh.test.ts › Istio's metrics name both ends, on both sides";
export const logFilters =
  "proxy/src/worker/access-log-filters.test.ts › each filter keeps the lines that it names, in text and in JSON";
export const mutualTls =
  "proxy/src/worker/mesh.test.ts › a request crosses two proxies over mutual TLS and the application sees who asked";
export const clusterLoads =
  "engine/src/load/cluster.test.ts › a cluster's discovery, timeouts, limits and options arrive";
export const upgrades =
  "proxy/src/worker/websocket.test.ts › only what the listener or the route names is switched to, and the route wins";
export const upgradeSettings =
  "engine/src/steps/decide-request.test.ts › a protocol is switched to where the route allows it, or the listener while the route says nothing";
