import { compareAge } from "../age.ts";
import { describeIdentity, describePlace, makeFinding } from "../finding.ts";
import type { Finding } from "../finding.ts";
import type { FindingCode } from "../finding-codes.ts";
import { hostCovers } from "../hosts.ts";
import type { SetOptions } from "../options.ts";
import { identityOf } from "../resource.ts";
import type { Kind, ParsedResource } from "../resource.ts";
import { servicesOf, workloadsOf } from "./services.ts";
import type { KnownService, KnownWorkload } from "./services.ts";

/** Everything that a reference may point to. */
export class ResourceSet {
  readonly options: SetOptions;
  readonly services: readonly KnownService[];
  readonly workloads: readonly KnownWorkload[];
  /** Without a LocalMesh nobody knows which services there are, so nothing is said about hosts and selectors. */
  readonly isServiceListKnown: boolean;
  /** Where requests come from: the namespaces with workloads, and the root namespace when the edge is there. */
  readonly clientNamespaces: readonly string[];
  readonly #servicesByHost: ReadonlyMap<string, KnownService>;
  readonly #resources: readonly ParsedResource[];

  constructor(resources: readonly ParsedResource[], options: SetOptions) {
    this.#resources = resources;
    this.options = options;
    const meshes = this.all("LocalMesh");
    this.isServiceListKnown = meshes.length > 0;
    this.services = meshes.flatMap((mesh) => servicesOf(mesh.spec));
    this.workloads = meshes.flatMap((mesh) => workloadsOf(mesh.spec));
    this.#servicesByHost = new Map(this.services.map((service) => [service.host, service]));
    const hasEdge = meshes.some((mesh) => mesh.spec.edge !== undefined);
    const inhabited = this.workloads.map((workload) => workload.namespace);
    this.clientNamespaces = [...new Set(hasEdge ? [...inhabited, options.rootNamespace] : inhabited)];
  }

  service(host: string): KnownService | undefined {
    return this.#servicesByHost.get(host);
  }

  /** The services that a resolved host or wildcard covers. */
  servicesCovered(pattern: string): readonly KnownService[] {
    if (pattern.startsWith("*")) return this.services.filter((service) => hostCovers(pattern, service.host));
    const service = this.service(pattern);
    return service === undefined ? [] : [service];
  }

  /** All resources of a kind, oldest first. */
  all<Wanted extends Kind>(kind: Wanted): Extract<ParsedResource, { kind: Wanted }>[] {
    return this.#resources
      .filter((each): each is Extract<ParsedResource, { kind: Wanted }> => each.kind === kind)
      .sort(compareAge);
  }
}

export function findingOn(
  resource: ParsedResource,
  code: FindingCode,
  path: readonly (string | number)[],
  message: string,
  hint?: string,
): Finding {
  return makeFinding(code, { message, hint, ...resource.locate(path), resource: identityOf(resource) });
}

/** `VirtualService default/reviews (mesh/reviews.yaml:12)`. */
export function describeResource(resource: ParsedResource, path: readonly (string | number)[] = []): string {
  return `${describeIdentity(identityOf(resource))} (${describePlace(resource.locate(path))})`;
}

/** Why the first of two resources counts as the older one (istio.md 4.9). */
export function explainAge(winner: ParsedResource, loser: ParsedResource): string {
  const [a, b] = [winner.metadata, loser.metadata];
  if (
    a.creationTimestamp !== undefined &&
    (b.creationTimestamp === undefined || Date.parse(a.creationTimestamp) < Date.parse(b.creationTimestamp))
  ) {
    return `it was created first (${a.creationTimestamp})`;
  }
  const tie = "both are equally old and";
  return a.name === b.name
    ? `${tie} of the same name, and its namespace ${a.namespace} comes first in the alphabet`
    : `${tie} its name ${a.name} comes first in the alphabet`;
}
