import { create } from "@bufbuild/protobuf";
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from "../api/index.ts";
import { DeltaDiscoveryResponseSchema } from "../api/index.ts";
import type { Protocol } from "./protocol.ts";
import { packResource } from "./snapshot.ts";

/** Incremental xDS: responses hold what changed. */
export const delta: Protocol<DeltaDiscoveryRequest, DeltaDiscoveryResponse> = {
  name: "delta",

  readHead(request) {
    return {
      type: request.typeUrl,
      node: request.node,
      nonce: request.responseNonce,
      refusal: request.errorDetail?.message,
    };
  },

  // A stale nonce does not make names stale: in delta, a request tells only changes, and each is told once.
  subscribe(request, subscription) {
    subscription.changeNames(
      request.resourceNamesSubscribe,
      request.resourceNamesUnsubscribe,
      request.initialResourceVersions,
    );
    return true;
  },

  contents(push) {
    return push.upserts;
  },

  respond(push, { version, nonce, identifier }) {
    return create(DeltaDiscoveryResponseSchema, {
      systemVersionInfo: version,
      typeUrl: push.subscription.type,
      resources: push.upserts.map((resource) => ({
        name: resource.name,
        version: resource.version,
        resource: packResource(resource),
      })),
      removedResources: [...push.absent, ...push.removed],
      nonce,
      controlPlane: { identifier },
    });
  },
};
