import type { Finding } from "../finding.ts";
import { resolveHost } from "../hosts.ts";
import type { Destination, HttpRoute } from "../kinds/virtual-service/spec.ts";
import type { VirtualServiceResource } from "../resource.ts";
import { describePath } from "../schema/check.ts";
import { definesSubset, DestinationRuleIndex, governingRules } from "./governing-rules.ts";
import { suggestHost } from "./suggest-host.ts";
import { describeResource, explainAge, findingOn } from "./resource-set.ts";
import type { ResourceSet } from "./resource-set.ts";

type Path = readonly (string | number)[];

export function checkVirtualServices(set: ResourceSet): Finding[] {
  const services = set.all("VirtualService");
  const rules = new DestinationRuleIndex(set.all("DestinationRule"));
  const findings = services.flatMap((service) => checkDestinations(service, rules, set));
  if (set.isServiceListKnown)
    findings.push(...services.flatMap((service) => [...checkHosts(service, set), ...checkMatchPorts(service, set)]));
  return [...findings, ...findConflicts(services)];
}

function checkHosts(service: VirtualServiceResource, set: ResourceSet): Finding[] {
  return service.spec.hosts.flatMap((host, index) => {
    const resolved = resolveHost(host, service.metadata.namespace);
    if (set.servicesCovered(resolved).length > 0) return [];
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
    set.servicesCovered(resolveHost(host, service.metadata.namespace)),
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

function checkDestinations(service: VirtualServiceResource, rules: DestinationRuleIndex, set: ResourceSet): Finding[] {
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
  rules: DestinationRuleIndex,
  set: ResourceSet,
): Finding[] {
  const namespace = service.metadata.namespace;
  const resolved = resolveHost(destination.host, namespace);
  const target = set.service(resolved);
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
  if (destination.subset !== undefined) {
    findings.push(...checkSubset(service, destination.subset, resolved, [...path, "subset"], rules, set));
  }
  return findings;
}

/** Which rules are asked depends on where the caller lives (istio.md 4.5), so a subset may be known to some callers only. */
function checkSubset(
  service: VirtualServiceResource,
  subset: string,
  host: string,
  path: Path,
  rules: DestinationRuleIndex,
  set: ResourceSet,
): Finding[] {
  // Without a LocalMesh only the resource itself says where callers may live.
  const clients = set.isServiceListKnown ? set.clientNamespaces : [service.metadata.namespace];
  const governing = clients.map((namespace) => ({ namespace, rules: governingRules(rules, host, namespace, set) }));
  const without = governing.filter((client) => !client.rules.some((rule) => definesSubset(rule, subset)));
  if (without.length === 0) return [];
  const at = describePath(path.slice(0, -1));
  if (without.length === governing.length) {
    const known = new Set(
      governing.flatMap((client) => client.rules.flatMap((rule) => (rule.spec.subsets ?? []).map((each) => each.name))),
    );
    const hint =
      known.size === 0
        ? `Write a DestinationRule for ${host} that defines the subset, in the namespace of the service or of its callers.`
        : `Subsets of this host: ${[...known].join(", ")}.`;
    return [
      findingOn(service, "HDL0104", path, `${at}: no DestinationRule defines the subset ${subset} of ${host}.`, hint),
    ];
  }
  return without.map((client) => {
    const asked = client.rules.map((rule) => describeResource(rule)).join(", ");
    const reason =
      asked === "" ? "no DestinationRule holds for them" : `for them ${asked} holds, which does not define it`;
    const message = `${at}: callers in the namespace ${client.namespace} do not know the subset ${subset} of ${host}: ${reason}.`;
    return findingOn(service, "HDL0117", path, message);
  });
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
