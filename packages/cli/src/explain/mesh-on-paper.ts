import { dirname } from "node:path";
import { formatSpiffeId, exitCodes } from "@heddle/core";
import type { Finding, LocalMeshResource, LocalWorkload, ParsedFile, ParsedResource } from "@heddle/api";
import { acceptResources, localMeshDefaults } from "@heddle/api";
import type { WorkloadInstance } from "@heddle/compiler";
import { Compiler, rulePath } from "@heddle/compiler";
import type { ConfigDelta, Provenance, Snapshot } from "@heddle/engine";
import { applyDelta, emptySnapshot } from "@heddle/engine";
import type { Loaded, LoadOptions } from "@heddle/engine/load";
import { capabilities, loadCluster, loadEndpoints, loadListener, loadRouteConfiguration } from "@heddle/engine/load";
import type { MeshPlan } from "../local-mesh/plan.ts";
import { planMesh } from "../local-mesh/plan.ts";
import { edgeInstance, workloadInstance } from "../local-mesh/workload-instance.ts";
import { formatInShort } from "../output/findings.ts";
import { paintFor } from "../output/terminal.ts";
import { readResourceFiles, settingsOf } from "../resources/resource-files.ts";
import { UserProblem } from "../user-problem.ts";
import type { Origin } from "./explanation.ts";

/** Ports that nobody binds: they only tell replicas and listeners apart. */
const firstInboundPort = 10_000;
const firstApplicationPort = 20_000;
const firstOutboundPort = 30_000;
const defaultEdgePort = 8080;

/** A workload of which the LocalMesh wants no replica. */
export interface IdleWorkload {
  /** `<service>.<namespace>` */
  readonly service: string;
  /** `mesh.yaml:12` */
  readonly place: string;
}

type Broken = ReturnType<typeof acceptResources>["broken"];

/** A mesh as its files say it, every replica ready, compiled as the control plane would. Nothing runs. */
export class MeshOnPaper {
  readonly plan: MeshPlan;
  readonly instances: ReadonlyMap<string, WorkloadInstance>;
  readonly idle: readonly IdleWorkload[];
  /** What is wrong with the files; a resource with an error is left out, as the control plane does. */
  readonly findings: readonly Finding[];
  readonly #mesh: LocalMeshResource;
  readonly #compiler = new Compiler();
  readonly #resources: readonly ParsedResource[];
  /** What could not be used and denies. */
  readonly #broken: Broken;
  readonly #snapshots = new Map<string, Snapshot>();

  private constructor(
    mesh: LocalMeshResource,
    resources: readonly ParsedResource[],
    findings: readonly Finding[],
    broken: Broken,
  ) {
    const plan = planMesh(mesh);
    this.#mesh = mesh;
    this.plan = plan;
    this.idle = idleWorkloads(mesh);
    this.#broken = broken;
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
    requireOneMesh(folder, files);
    const settings = settingsOf(files.flatMap((file) => file.resources));
    const { accepted, findings, broken } = acceptResources([], files, settings);
    const mesh = accepted.find((resource) => resource.kind === "LocalMesh");
    if (mesh === undefined) {
      const errors = findings.filter(({ severity }) => severity === "error");
      const told = errors.length === 0 ? "" : `\n${formatInShort(errors, paintFor(process.stderr), folder).trimEnd()}`;
      throw new UserProblem(`there is no valid LocalMesh resource, which says what programs the mesh has${told}`, {
        where: folder,
        hint: errors.length === 0 ? "Name the folder that holds it with --folder." : "Correct what is said above.",
        exitCode: exitCodes.findings,
      });
    }
    return new MeshOnPaper(mesh, accepted, findings, broken);
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
    const resource = this.#resourceOf(provenance);
    const title = `${kind} ${namespace}/${name}`;
    if (resource !== undefined) return { resource: title, rule, ...resource.locate([...rulePath(rule), ...below]) };
    const broken = this.#broken.find((one) => one.kind === kind && one.namespace === namespace && one.name === name);
    return broken === undefined ? null : { resource: title, rule: "", ...broken.source };
  }

  /** Where the workload of a replica is declared; null for the edge. */
  originOfWorkload(workload: string): Origin | null {
    return this.#originOfDeclaration(({ name }) => name === workload);
  }

  /** Where a service is declared: by the first of its workloads. */
  originOfService(service: string, namespace: string): Origin | null {
    return this.#originOfDeclaration(
      (one) => one.service === service && (one.namespace ?? localMeshDefaults.namespace) === namespace,
    );
  }

  /** Where a setting of a route stands; null when the route does not name it, so that a default holds. */
  settingOf(route: Provenance | undefined, field: string): Origin | null {
    if (route === undefined || field === "") return null;
    // `http[0].match[1]`: the settings are the http entry's.
    const rule = (route.rule ?? "").replace(/\.match\[\d+\]$/, "");
    const origin = this.originOf({ ...route, rule }, [field]);
    const isNamed = isSet(this.#resourceOf(route), [...rulePath(rule), field]);
    return origin === null || !isNamed ? null : { ...origin, rule: `${rule}.${field}` };
  }

  #resourceOf({ kind, namespace, name }: Provenance): ParsedResource | undefined {
    return this.#resources.find(
      ({ kind: ofKind, metadata }) => ofKind === kind && metadata.namespace === namespace && metadata.name === name,
    );
  }

  #originOfDeclaration(isMeant: (workload: LocalWorkload) => boolean): Origin | null {
    const { kind, metadata, spec } = this.#mesh;
    const index = spec.workloads.findIndex(isMeant);
    if (index < 0) return null;
    const { namespace, name } = metadata;
    return this.originOf({ kind, namespace, name, rule: `workloads[${index}]`, generation: undefined });
  }

  #compile(instanceId: string): Snapshot {
    const { listeners, routes, clusters, endpoints } = this.#compiler.resourcesFor({
      instanceId,
      dialect: "heddle",
      capabilities,
    });
    const delta: ConfigDelta = {
      listeners: { set: listeners.map(({ name, message }) => accept(name, loadListener(message))), remove: [] },
      routeTables: {
        set: routes.map(({ name, message }) => accept(name, loadRouteConfiguration(message))),
        remove: [],
      },
      clusters: {
        set: clusters.map(({ name, message }) => accept(name, loadCluster(message, anyTlsFile))),
        remove: [],
      },
      endpoints: { set: endpoints.map(({ name, message }) => accept(name, loadEndpoints(message))), remove: [] },
    };
    return applyDelta(emptySnapshot, delta);
  }
}

/** Files that a DestinationRule names are those of the client's machine; no decision here asks for what they hold. */
const anyTlsFile: LoadOptions = { readTlsFile: () => new Uint8Array() };

/** Of several the files are several meshes: an answer out of a mixture would be one of none of them. */
function requireOneMesh(folder: string, files: readonly ParsedFile[]): void {
  const meshes = files.flatMap(({ resources }) => resources).filter(({ kind }) => kind === "LocalMesh");
  if (meshes.length < 2) return;
  const folders = [...new Set(meshes.map(({ source }) => dirname(source.file)))];
  const places = meshes.map(({ source }) => `${source.file}:${source.line}`).join(", ");
  throw new UserProblem(`there are ${meshes.length} LocalMesh resources here, and a mesh has one`, {
    where: folder,
    hint:
      folders.length === 1
        ? `Keep one of ${places}.`
        : `Name the folder of the mesh with --folder: ${folders.join(", ")}.`,
    exitCode: exitCodes.usage,
  });
}

function accept<T>(name: string, loaded: Loaded<T>): T {
  if (loaded.config !== undefined) return loaded.config;
  const problems = loaded.problems.map(({ path, message }) => `${path}: ${message}`).join("; ");
  throw new Error(`the proxy would refuse what was compiled for it: ${name}: ${problems}`);
}

/** Whether the file says something at this place. */
function isSet(resource: unknown, path: readonly (string | number)[]): boolean {
  let value = resource;
  for (const segment of path) {
    if (typeof value !== "object" || value === null) return false;
    value = (value as Readonly<Record<string | number, unknown>>)[segment];
  }
  return value !== undefined;
}

function placeInstances(plan: MeshPlan): WorkloadInstance[] {
  let outboundPort = firstOutboundPort;
  const instances = plan.instances.map((planned, index) => {
    const called = planned.calls.map(({ name, namespace }) => `${name}.${namespace}`);
    // With an address of its own a workload reaches its own service through its proxy, too, as in a pod.
    const own = plan.mode === "ports" ? [] : [`${planned.service}.${planned.namespace}`];
    const outboundPorts = Object.fromEntries([...new Set([...called, ...own])].map((key) => [key, outboundPort++]));
    return workloadInstance(
      planned,
      {
        address: "127.0.0.1",
        inboundPort: firstInboundPort + index,
        appPort: firstApplicationPort + index,
        outboundPorts,
      },
      true,
    );
  });
  return plan.edge === undefined
    ? instances
    : [...instances, edgeInstance(plan.edge, plan.edge.port === 0 ? defaultEdgePort : plan.edge.port)];
}

function idleWorkloads(mesh: LocalMeshResource): IdleWorkload[] {
  return mesh.spec.workloads.flatMap(({ service, namespace = localMeshDefaults.namespace, replicas }, index) => {
    if (replicas !== 0) return [];
    const { file, line } = mesh.locate(["spec", "workloads", index, "replicas"]);
    return [{ service: `${service}.${namespace}`, place: `${file}:${line}` }];
  });
}
