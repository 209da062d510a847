import { formatSpiffeId, exitCodes } from "@heddle/core";
import type { Finding, ParsedResource } from "@heddle/api";
import { acceptResources } from "@heddle/api";
import type { WorkloadInstance } from "@heddle/compiler";
import { Compiler, rulePath } from "@heddle/compiler";
import type { ConfigDelta, Provenance, Snapshot } from "@heddle/engine";
import { applyDelta, emptySnapshot } from "@heddle/engine";
import type { Loaded } from "@heddle/engine/load";
import { loadCluster, loadEndpoints, loadListener, loadRouteConfiguration } from "@heddle/engine/load";
import type { MeshPlan } from "../local-mesh/plan.ts";
import { planMesh } from "../local-mesh/plan.ts";
import { edgeInstance, workloadInstance } from "../local-mesh/workload-instance.ts";
import { readResourceFiles, settingsOf } from "../resources/resource-files.ts";
import { UserProblem } from "../user-problem.ts";
import type { Origin } from "./explanation.ts";

/** Ports that nobody binds: they only tell replicas and listeners apart. */
const firstInboundPort = 10_000;
const firstApplicationPort = 20_000;
const firstOutboundPort = 30_000;
const defaultEdgePort = 8080;

/** A mesh as its files say it, every replica ready, compiled as the control plane would. Nothing runs. */
export class MeshOnPaper {
  readonly plan: MeshPlan;
  readonly instances: ReadonlyMap<string, WorkloadInstance>;
  /** What is wrong with the files; a resource with an error is left out, as the control plane does. */
  readonly findings: readonly Finding[];
  readonly #compiler = new Compiler();
  readonly #resources: readonly ParsedResource[];
  readonly #snapshots = new Map<string, Snapshot>();

  private constructor(
    plan: MeshPlan,
    resources: readonly ParsedResource[],
    findings: readonly Finding[],
    broken: ReturnType<typeof acceptResources>["broken"],
  ) {
    this.plan = plan;
    this.findings = findings;
    this.#resources = resources;
    this.instances = new Map(placeInstances(plan).map((instance) => [instance.id, instance]));
    const { trustDomain, rootNamespace } = plan;
    this.#compiler.update({
      resources,
      broken,
      instances: [...this.instances.values()],
      settings: { trustDomain, rootNamespace },
    });
  }

  static async read(folder: string): Promise<MeshOnPaper> {
    const files = await readResourceFiles([folder]);
    const settings = settingsOf(files.flatMap((file) => file.resources));
    const { accepted, findings, broken } = acceptResources([], files, settings);
    const mesh = accepted.find((resource) => resource.kind === "LocalMesh");
    if (mesh === undefined) {
      throw new UserProblem("there is no valid LocalMesh resource, which says what programs the mesh has", {
        where: folder,
        hint: "Name the folder that holds it with --folder, and see `heddle validate` for what is wrong.",
        exitCode: exitCodes.usage,
      });
    }
    return new MeshOnPaper(planMesh(mesh), accepted, findings, broken);
  }

  identityOf({ namespace, serviceAccount }: WorkloadInstance): string {
    return formatSpiffeId(this.plan.trustDomain, namespace, serviceAccount);
  }

  /** What the proxy of a replica knows. */
  snapshot(instanceId: string): Snapshot {
    let snapshot = this.#snapshots.get(instanceId);
    if (snapshot === undefined) this.#snapshots.set(instanceId, (snapshot = this.#compile(instanceId)));
    return snapshot;
  }

  /** Where the resource behind a decision stands; null when no resource is. */
  originOf(provenance: Provenance | undefined, below: readonly string[] = []): Origin | null {
    if (provenance === undefined) return null;
    const { kind, namespace, name } = provenance;
    // The engine names the rule of a policy by its number alone.
    const rule = (provenance.rule ?? "").replace(/^(\d+)$/, "rules[$1]");
    const resource = this.#resources.find(
      (candidate) =>
        candidate.kind === kind && candidate.metadata.namespace === namespace && candidate.metadata.name === name,
    );
    if (resource === undefined) return null;
    return { resource: `${kind} ${namespace}/${name}`, rule, ...resource.locate([...rulePath(rule), ...below]) };
  }

  #compile(instanceId: string): Snapshot {
    const { listeners, routes, clusters, endpoints } = this.#compiler.resourcesFor({ instanceId, dialect: "heddle" });
    const delta: ConfigDelta = {
      listeners: { set: listeners.map(({ name, message }) => accept(name, loadListener(message))), remove: [] },
      routeTables: {
        set: routes.map(({ name, message }) => accept(name, loadRouteConfiguration(message))),
        remove: [],
      },
      clusters: { set: clusters.map(({ name, message }) => accept(name, loadCluster(message))), remove: [] },
      endpoints: { set: endpoints.map(({ name, message }) => accept(name, loadEndpoints(message))), remove: [] },
    };
    return applyDelta(emptySnapshot, delta);
  }
}

function accept<T>(name: string, loaded: Loaded<T>): T {
  if (loaded.config !== undefined) return loaded.config;
  const problems = loaded.problems.map(({ path, message }) => `${path}: ${message}`).join("; ");
  throw new Error(`the proxy would refuse what was compiled for it: ${name}: ${problems}`);
}

function placeInstances(plan: MeshPlan): WorkloadInstance[] {
  let outboundPort = firstOutboundPort;
  const instances = plan.instances.map((planned, index) => {
    const outbound = Object.fromEntries(
      planned.calls.map(({ name, namespace }) => [`${name}.${namespace}`, outboundPort++]),
    );
    return workloadInstance(
      planned,
      { inbound: firstInboundPort + index, application: firstApplicationPort + index, outbound },
      true,
    );
  });
  return plan.edge === undefined
    ? instances
    : [...instances, edgeInstance(plan.edge, plan.edge.port === 0 ? defaultEdgePort : plan.edge.port)];
}
