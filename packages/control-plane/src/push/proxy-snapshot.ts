import type { CompiledResource, ProxyResources } from "@heddle/compiler";
import { contentHash } from "@heddle/compiler";
import type { Secret } from "@heddle/xds/api";
import {
  CLUSTER_TYPE,
  create,
  ENDPOINT_TYPE,
  LISTENER_TYPE,
  ROUTE_TYPE,
  SECRET_TYPE,
  SecretSchema,
} from "@heddle/xds/api";
import type { ResourceSnapshot, VersionedResource } from "@heddle/xds/server";

/** Name under which every proxy asks for the trust anchors, as in Istio. */
const trustBundleName = "ROOTCA";

/** The trust anchors as an SDS secret. */
export function trustBundleSecret(rootPem: string): CompiledResource<Secret> {
  const message = create(SecretSchema, {
    name: trustBundleName,
    type: {
      case: "validationContext",
      value: { trustedCa: { specifier: { case: "inlineBytes", value: Buffer.from(rootPem) } } },
    },
  });
  return { name: trustBundleName, version: contentHash(message), message };
}

/** A list that did not change keeps its map: the push then skips the whole type without a look at its members. */
const maps = new WeakMap<readonly CompiledResource[], ReadonlyMap<string, VersionedResource>>();

function byName(resources: readonly CompiledResource[]): ReadonlyMap<string, VersionedResource> {
  let map = maps.get(resources);
  if (map === undefined) maps.set(resources, (map = new Map(resources.map((resource) => [resource.name, resource]))));
  return map;
}

/** What one proxy shall have, as the ADS server takes it. */
export function proxySnapshot(
  version: string,
  compiled: ProxyResources,
  secrets: readonly CompiledResource[],
): ResourceSnapshot {
  return {
    version,
    resources: new Map([
      [LISTENER_TYPE, byName(compiled.listeners)],
      [ROUTE_TYPE, byName(compiled.routes)],
      [CLUSTER_TYPE, byName(compiled.clusters)],
      [ENDPOINT_TYPE, byName(compiled.endpoints)],
      [SECRET_TYPE, byName(secrets)],
    ]),
  };
}
