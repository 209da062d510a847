import { nearestName } from "../schema/nearest-name.ts";
import type { ResourceSet } from "./resource-set.ts";

/** A hint for a host that no service has. */
export function suggestHost(
  written: string,
  resolved: string,
  namespace: string,
  set: ResourceSet,
): string | undefined {
  const inOtherNamespaces = set.services.filter(
    (service) => service.name === written && service.namespace !== namespace,
  );
  const [elsewhere] = inOtherNamespaces;
  if (elsewhere !== undefined)
    return `A name without dots is looked up in the resource's namespace (${namespace}); write ${elsewhere.host}.`;
  const dotted = set.services.find(
    (service) =>
      `${service.name}.${service.namespace}` === written || `${service.name}.${service.namespace}.svc` === written,
  );
  if (dotted !== undefined) return `Names with dots are taken in full; write ${dotted.host}.`;
  const nearest = written.includes(".")
    ? nearestName(
        resolved,
        set.services.map((service) => service.host),
      )
    : nearestName(
        written,
        set.services.filter((service) => service.namespace === namespace).map((service) => service.name),
      );
  if (nearest !== undefined) return `Did you mean ${nearest}?`;
  const known = set.services.map((service) => service.host);
  return known.length === 0 || known.length > 12 ? undefined : `Services of the mesh: ${known.join(", ")}.`;
}
