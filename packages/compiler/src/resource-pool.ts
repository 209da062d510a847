import type { Message } from "@heddle/xds/api";
import { contentHash } from "./content-hash.ts";
import type { CompiledResource } from "./inputs.ts";

/**
 * One object per content. A query keeps its object while its result stays the same; the pool does so when the same result comes about in
 * another way, such as by a DestinationRule that governs a cluster and changes nothing about it. Holds nothing alive.
 */
export class ResourcePool {
  readonly #resources = new Map<string, WeakRef<CompiledResource>>();

  /** The resource with this message's content that is in use, or a new one. */
  intern<Resource extends Message>(message: Resource): CompiledResource<Resource> {
    const version = contentHash(message);
    // Bytes alone do not tell types apart: many begin with a name as field 1.
    const key = `${message.$typeName} ${version}`;
    const known = this.#resources.get(key)?.deref();
    if (known !== undefined) return known as CompiledResource<Resource>;
    const resource = { name: nameOf(message), version, message };
    this.#resources.set(key, new WeakRef(resource));
    return resource;
  }

  /** Forgets the keys of what is no longer in use. */
  sweep(): void {
    for (const [key, resource] of this.#resources) if (resource.deref() === undefined) this.#resources.delete(key);
  }
}

/** What a resource is subscribed to by: `cluster_name` of an assignment, `name` of everything else. */
function nameOf(message: Message): string {
  const { name, clusterName } = message as { name?: string; clusterName?: string };
  return name ?? clusterName ?? "";
}
