import { describePath } from "../../schema/check.ts";
import type { Check } from "../../schema/check.ts";
import { localMeshDefaults } from "./spec.ts";
import type * as spec from "./spec.ts";

/** `<service>.<namespace>` of a workload. */
function serviceOf(workload: spec.LocalWorkload): string {
  return `${workload.service}.${workload.namespace ?? localMeshDefaults.namespace}`;
}

/** Versions of one service share its port: callers know one port for each service. */
export const servicesAgree: Check<spec.LocalMeshSpec> = (mesh, context) => {
  const first = new Map<string, number>();
  mesh.workloads.forEach((workload, index) => {
    const other = first.get(serviceOf(workload));
    if (other === undefined) {
      first.set(serviceOf(workload), index);
      return;
    }
    const port = mesh.workloads[other]?.port;
    if (port === workload.port) return;
    const at = ["workloads", index, "port"] as const;
    const message = `${describePath([...context.path, ...at])} is ${workload.port}, but ${mesh.workloads[other]?.name} provides the same service ${workload.service} on ${port}.`;
    context.report("HDL0022", at, message, "Give all workloads of a service the same port.");
  });
};

export const referencedServicesExist: Check<spec.LocalMeshSpec> = (mesh, context) => {
  const known = new Set(mesh.workloads.map(serviceOf));
  const list = [...known].join(", ");
  const edge = mesh.edge;
  if (edge !== undefined) {
    const wanted = `${edge.service}.${edge.namespace ?? localMeshDefaults.namespace}`;
    const at = ["edge", "service"] as const;
    if (!known.has(wanted))
      context.report(
        "HDL0110",
        at,
        `${describePath([...context.path, ...at])}: no workload provides the service ${wanted}.`,
        `Services of this mesh: ${list}.`,
      );
  }
  mesh.workloads.forEach((workload, index) => {
    (workload.calls ?? []).forEach((call, position) => {
      const wanted = call.includes(".") ? call : `${call}.${workload.namespace ?? localMeshDefaults.namespace}`;
      if (known.has(wanted)) return;
      const at = ["workloads", index, "calls", position] as const;
      context.report(
        "HDL0110",
        at,
        `${describePath([...context.path, ...at])}: no workload provides the service ${wanted}.`,
        `Services of this mesh: ${list}.`,
      );
    });
  });
};

/** The runner tells the process its port in PORT. */
export const environmentIsFree: Check<spec.LocalMeshSpec> = (mesh, context) => {
  mesh.workloads.forEach((workload, index) => {
    if (workload.env === undefined || !Object.hasOwn(workload.env, "PORT")) return;
    const at = ["workloads", index, "env", "PORT"] as const;
    context.report(
      "HDL0019",
      at,
      `${describePath([...context.path, ...at])} is set by heddle: each replica gets a port of its own.`,
      "Remove PORT, and let the application listen on the PORT it is given.",
    );
  });
};
