import { create } from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import type { Logger } from "@heddle/core";
import { type ResourceType, resourceSchemas, unpackAny } from "@heddle/xds/api";
import type { ReceivedResource } from "@heddle/xds/client";
import type { Configuration } from "./configuration.ts";
import type { StoredResource } from "./last-good.ts";

/**
 * Puts in force what an earlier run had stored.
 *
 * @returns what serves now, for the client to tell the control plane
 */
export async function restoreResources(
  stored: readonly StoredResource[],
  configuration: Configuration,
  logger: Logger,
): Promise<Map<ResourceType, ReceivedResource[]>> {
  const accepted = new Map<ResourceType, ReceivedResource[]>();
  const resources = stored.flatMap((one) => readStored(one, logger) ?? []);
  if (resources.length === 0) return accepted;
  const rejected = await configuration.restore(resources);
  for (const { name, error } of rejected) logger.warn("a stored resource is no longer accepted", { name, error });
  for (const resource of resources) {
    if (configuration.refused(resource.type, resource.name) !== undefined) continue;
    const ofType = accepted.get(resource.type) ?? [];
    ofType.push(resource);
    accepted.set(resource.type, ofType);
  }
  logger.info("the last good configuration serves", { resources: resources.length - rejected.length });
  return accepted;
}

function readStored(
  { typeUrl, name, version, value }: StoredResource,
  logger: Logger,
): (ReceivedResource & { type: ResourceType }) | undefined {
  if (!Object.hasOwn(resourceSchemas, typeUrl)) return undefined;
  const resource: Any = create(AnySchema, { typeUrl, value });
  try {
    const message = unpackAny(resource);
    return message === undefined ? undefined : { type: typeUrl as ResourceType, name, version, resource, message };
  } catch (error) {
    logger.warn("a stored resource cannot be read", { name, error });
    return undefined;
  }
}
