import type { Message } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { ResourceType } from "../api/index.ts";
import { resourceSchemas, unpackAny } from "../api/index.ts";
import type { ReceivedResource, Rejection } from "./update.ts";

interface Entry {
  /** Empty when only the message itself tells. */
  readonly name: string;
  readonly version: string;
  readonly resource?: Any | undefined;
}

/**
 * Reads the resources of a response one by one, so that one that cannot be read costs none of the others. A name that comes
 * twice is refused both times, as Envoy does, for nothing says which one is meant.
 */
export function readResources(
  type: string,
  entries: readonly Entry[],
): { resources: ReceivedResource[]; unreadable: Rejection[] } {
  const resources = new Map<string, ReceivedResource>();
  const unreadable = new Map<string, string>();
  for (const entry of entries) {
    const read = readResource(type, entry);
    if ("error" in read) {
      unreadable.set(read.name, read.error);
    } else if (resources.has(read.name) || unreadable.has(read.name)) {
      unreadable.set(read.name, "the name appears twice in one response");
    } else {
      resources.set(read.name, read);
    }
  }
  for (const name of unreadable.keys()) resources.delete(name);
  return {
    resources: [...resources.values()],
    unreadable: [...unreadable].map(([name, error]) => ({ name, error })),
  };
}

function readResource(type: string, { name, version, resource }: Entry): ReceivedResource | Rejection {
  if (resource === undefined) return { name, error: "the resource has no body" };
  if (resource.typeUrl !== type) return { name, error: `the resource is a ${resource.typeUrl}, expected ${type}` };
  let message: Message | undefined;
  try {
    message = isResourceType(type) ? fromBinary(resourceSchemas[type], resource.value) : unpackAny(resource);
  } catch (error) {
    return { name, error: `the resource cannot be decoded: ${error instanceof Error ? error.message : String(error)}` };
  }
  if (message === undefined) return { name, error: `${type} is not a known type` };
  const ownName = nameOf(message);
  if (name !== "" && ownName !== "" && name !== ownName) {
    return { name, error: `the resource calls itself ${JSON.stringify(ownName)}` };
  }
  if (name === "" && ownName === "") return { name, error: "the resource has no name" };
  return { name: name === "" ? ownName : name, version, resource, message };
}

function nameOf(message: Message): string {
  const field = "clusterName" in message ? message.clusterName : "name" in message ? message.name : "";
  return typeof field === "string" ? field : "";
}

function isResourceType(type: string): type is ResourceType {
  return Object.hasOwn(resourceSchemas, type);
}
