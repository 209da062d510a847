import type { Finding } from "../finding.ts";
import { hostCovers, resolveHost } from "../hosts.ts";
import type { Destination, HttpRoute } from "../kinds/virtual-service/spec.ts";
import type { DestinationRuleResource, VirtualServiceResource } from "../resource.ts";
import { describePath } from "../schema/check.ts";
import { servicesCovered, suggestHost } from "./hosts.ts";
import { describeResource, explainAge, findingOn } from "./resource-set.ts";
import type { ResourceSet } from "./resource-set.ts";

type Path = readonly (string | number)[];

export function checkVirtualServices(set: ResourceSet): Finding[] {
  const services = set.all("VirtualService");
  const findings = services.flatMap((service) => checkDestinations(service, set));
  if (set.isServiceListKnown)
    findings.push(...services.flatMap((service) => [...checkHosts(service, set), ...checkMatchPorts(service, set)]));
  return [...findings, ...findConflicts(services)];
}

function checkHosts(service: VirtualServiceResource, set: ResourceSet): Finding[] {
  return service.spec.hosts.flatMap((host, index) => {
    const resolved = resolveHost(host, service.metadata.namespace);
    if (servicesCovered(resolved, set).length > 0) return [];
    const path = ["spec", "hosts", index];
    const hint = suggestHost(host, resolved, service.metadata.namespace, set);
    return [
      findingOn(
        service,
        "HDL0103",
        path,
        `${describePath(path)}: no service has the host ${resolved}, so its routes are never used.`,
        hint,
      ),
    ];
  });
}

function checkMatchPorts(service: VirtualServiceResource, set: ResourceSet): Finding[] {
  const covered = service.spec.hosts.flatMap((host) =>
    servicesCovered(resolveHost(host, service.metadata.namespace), set),
  );
  const ports = new Set(covered.flatMap((each) => each.ports));
  if (ports.size === 0) return [];
  return (service.spec.http ?? []).flatMap((route, index) =>
    (route.match ?? []).flatMap((match, position) => {
      if (match.port === undefined || ports.has(match.port)) return [];
      const path = ["spec", "http", index, "match", position, "port"];
      const message = `${describePath(path)} is ${match.port}, but the hosts listen on ${[...ports].join(", ")}; the match is never true.`;
      return [findingOn(service, "HDL0115", path, message)];
    }),
  );
}

/** Every place of a route that names a destination. */
export function destinationsOf(route: HttpRoute): [Path, Destination][] {
  const found: [Path, Destination][] = [];
  (route.route ?? []).forEach((each, index) => found.push([["route", index, "destination"], each.destination]));
  if (route.mirror !== undefined) found.push([["mirror"], route.mirror]);
  (route.mirrors ?? []).forEach((each, index) => found.push([["mirrors", index, "destination"], each.destination]));
  return found;
}

function checkDestinations(service: VirtualServiceResource, set: ResourceSet): Finding[] {
  const rules = set.all("DestinationRule");
  return (service.spec.http ?? []).flatMap((route, index) =>
    destinationsOf(route).flatMap(([path, destination]) =>
      checkDestination(service, destination, ["spec", "http", index, ...path], rules, set),
    ),
  );
}

function checkDestination(
  service: VirtualServiceResource,
  destination: Destination,
  path: Path,
  rules: readonly DestinationRuleResource[],
  set: ResourceSet,
): Finding[] {
  const namespace = service.metadata.namespace;
  const resolved = resolveHost(destination.host, namespace);
  const target = set.services.find((each) => each.host === resolved);
  const at = describePath(path);
  if (set.isServiceListKnown && target === undefined) {
    const hint = suggestHost(destination.host, resolved, namespace, set);
    return [findingOn(service, "HDL0102", [...path, "host"], `${at}: no service has the host ${resolved}.`, hint)];
  }
  const findings: Finding[] = [];
  const port = destination.port?.number;
  if (target !== undefined && port !== undefined && !target.ports.includes(port)) {
    const message = `${at}: ${target.host} does not listen on port ${port}.`;
    findings.push(
      findingOn(
        service,
        "HDL0111",
        [...path, "port"],
        message,
        `Its port is ${target.ports.join(", ")}; with one port the field may be left out.`,
      ),
    );
  }
  if (destination.subset === undefined || definesSubset(rules, resolved, destination.subset)) return findings;
  const known = [
    ...new Set(
      rules
        .filter((rule) => coversHost(rule, resolved))
        .flatMap((rule) => (rule.spec.subsets ?? []).map((subset) => subset.name)),
    ),
  ];
  const hint =
    known.length === 0
      ? `Write a DestinationRule for ${resolved} that defines the subset.`
      : `Subsets of this host: ${known.join(", ")}.`;
  findings.push(
    findingOn(
      service,
      "HDL0104",
      [...path, "subset"],
      `${at}: no DestinationRule defines the subset ${destination.subset} of ${resolved}.`,
      hint,
    ),
  );
  return findings;
}

export function coversHost(rule: DestinationRuleResource, host: string): boolean {
  return hostCovers(resolveHost(rule.spec.host, rule.metadata.namespace), host);
}

function definesSubset(rules: readonly DestinationRuleResource[], host: string, subset: string): boolean {
  return rules.some((rule) => coversHost(rule, host) && (rule.spec.subsets ?? []).some((each) => each.name === subset));
}

/** istio.md 4.4: in the mesh there is no merging; for each host the first by age is used (4.9). */
function findConflicts(services: readonly VirtualServiceResource[]): Finding[] {
  const winners = new Map<string, { service: VirtualServiceResource; path: Path }>();
  const findings: Finding[] = [];
  for (const service of services) {
    service.spec.hosts.forEach((host, index) => {
      const resolved = resolveHost(host, service.metadata.namespace);
      const path = ["spec", "hosts", index];
      const winner = winners.get(resolved);
      if (winner === undefined) {
        winners.set(resolved, { service, path });
      } else if (winner.service !== service) {
        const message = `The host ${resolved} has another VirtualService, ${describeResource(winner.service, winner.path)}. That one is used and this one is not, because ${explainAge(winner.service, service)}.`;
        findings.push(findingOn(service, "HDL0105", path, message));
      }
    });
  }
  return findings;
}
