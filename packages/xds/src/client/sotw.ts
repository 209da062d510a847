import { create, fromBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { AggregatedDiscoveryService } from "../api/discovery-service.ts";
import type { DiscoveryRequest, DiscoveryResponse } from "../api/index.ts";
import { CLUSTER_TYPE, DiscoveryRequestSchema, LISTENER_TYPE, ResourceSchema, typeUrlOf } from "../api/index.ts";
import type { Protocol } from "./protocol.ts";
import { readResources } from "./resource-reader.ts";

const invalidArgument = 3;
const resourceType = typeUrlOf(ResourceSchema);

/** State of the world: a request holds all names; a response for listeners or clusters holds all of them. */
export const sotw: Protocol<DiscoveryRequest, DiscoveryResponse> = {
  open(connection, requests, options) {
    return connection.call(AggregatedDiscoveryService.method.streamAggregatedResources, requests, options);
  },

  subscribe(cache, node) {
    return create(DiscoveryRequestSchema, {
      ...(node === undefined ? {} : { node }),
      typeUrl: cache.type,
      versionInfo: cache.version,
      resourceNames: [...cache.wanted()],
    });
  },

  resubscribe(cache, _added, _dropped, nonce) {
    return create(DiscoveryRequestSchema, {
      typeUrl: cache.type,
      versionInfo: cache.version,
      resourceNames: [...cache.wanted()],
      responseNonce: nonce,
    });
  },

  typeOf(response) {
    return response.typeUrl;
  },

  read(response, cache) {
    const { typeUrl: type, versionInfo: version } = response;
    const entries = response.resources.map((resource) => unwrap(resource, version));
    const { resources, unreadable } = readResources(type, entries);
    // Of other types a list is partial, and what it leaves out lives on until nothing refers to it.
    const isFull = type === LISTENER_TYPE || type === CLUSTER_TYPE;
    const present = new Set([...resources, ...unreadable].map((resource) => resource.name));
    // One that cannot even be named may be any of those that seem to be missing.
    const isComplete = isFull && !present.has("");
    return {
      type,
      version,
      nonce: response.nonce,
      identifier: response.controlPlane?.identifier ?? "",
      resources,
      unreadable,
      removed: isComplete ? [...cache.names].filter((name) => !present.has(name)) : [],
      isFull,
    };
  },

  answer(cache, response, reason) {
    return create(DiscoveryRequestSchema, {
      typeUrl: cache.type,
      // After a refusal this is still the version before (xDS: NACK).
      versionInfo: cache.version,
      resourceNames: [...cache.wanted()],
      responseNonce: response.nonce,
      ...(reason === undefined ? {} : { errorDetail: { code: invalidArgument, message: reason } }),
    });
  },
};

/** A server may wrap a resource to give it a name and a version of its own. */
function unwrap(resource: Any, version: string): { name: string; version: string; resource: Any | undefined } {
  if (resource.typeUrl !== resourceType) return { name: "", version, resource };
  try {
    const wrapped = fromBinary(ResourceSchema, resource.value);
    return { name: wrapped.name, version: wrapped.version || version, resource: wrapped.resource };
  } catch {
    // Left as it is, its type does not fit, and it is refused with the others kept.
    return { name: "", version, resource };
  }
}
