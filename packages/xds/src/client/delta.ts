import { create } from "@bufbuild/protobuf";
import { AggregatedDiscoveryService } from "../api/discovery-service.ts";
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from "../api/index.ts";
import { DeltaDiscoveryRequestSchema } from "../api/index.ts";
import type { Protocol } from "./protocol.ts";
import { readResources } from "./resource-reader.ts";

/** google.rpc.Code.INVALID_ARGUMENT. */
const invalidArgument = 3;

/** Incremental xDS: requests and responses hold changes; a new stream begins with what the client has. */
export const delta: Protocol<DeltaDiscoveryRequest, DeltaDiscoveryResponse> = {
  open(connection, requests, options) {
    return connection.call(AggregatedDiscoveryService.method.deltaAggregatedResources, requests, options);
  },

  subscribe(cache, node) {
    return create(DeltaDiscoveryRequestSchema, {
      ...(node === undefined ? {} : { node }),
      typeUrl: cache.type,
      // A wildcard is a first request without names, which servers that do not know "*" understand too.
      resourceNamesSubscribe: [...cache.wanted()],
      initialResourceVersions: cache.versions(),
    });
  },

  resubscribe(cache, added, dropped) {
    return create(DeltaDiscoveryRequestSchema, {
      typeUrl: cache.type,
      resourceNamesSubscribe: added,
      resourceNamesUnsubscribe: dropped,
    });
  },

  typeOf(response) {
    return response.typeUrl;
  },

  read(response) {
    const { resources, unreadable } = readResources(response.typeUrl, response.resources);
    return {
      type: response.typeUrl,
      version: response.systemVersionInfo,
      nonce: response.nonce,
      identifier: response.controlPlane?.identifier ?? "",
      resources,
      unreadable,
      removed: response.removedResources,
      isFull: false,
    };
  },

  answer(cache, response, reason) {
    return create(DeltaDiscoveryRequestSchema, {
      typeUrl: cache.type,
      responseNonce: response.nonce,
      ...(reason === undefined ? {} : { errorDetail: { code: invalidArgument, message: reason } }),
    });
  },
};
