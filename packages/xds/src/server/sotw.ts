import { create } from "@bufbuild/protobuf";
import type { DiscoveryRequest, DiscoveryResponse } from "../api/index.ts";
import { DiscoveryResponseSchema } from "../api/index.ts";
import type { Protocol } from "./protocol.ts";
import { packResource } from "./snapshot.ts";
import { wholeStateTypes } from "./subscription.ts";

/** State of the world: a response for listeners or clusters holds all of them, for other types what changed. */
export const sotw: Protocol<DiscoveryRequest, DiscoveryResponse> = {
  name: "sotw",

  readHead(request) {
    return {
      type: request.typeUrl,
      node: request.node,
      nonce: request.responseNonce,
      refusal: request.errorDetail?.message,
    };
  },

  // A request with an old nonce crossed a response on its way. The client will answer that response, and repeat its names.
  subscribe(request, subscription) {
    if (subscription.isStale(request.responseNonce)) return false;
    subscription.setNames(request.resourceNames, request.responseNonce);
    return true;
  },

  contents({ subscription, upserts }) {
    return wholeStateTypes.has(subscription.type) ? subscription.held() : upserts;
  },

  respond(push, { version, nonce, identifier }) {
    const { subscription } = push;
    const isWhole = wholeStateTypes.has(subscription.type);
    // Routes, endpoints and secrets go with what refers to them; a list without them means nothing.
    if (!isWhole && push.removed.length > 0) return undefined;
    return create(DiscoveryResponseSchema, {
      versionInfo: version,
      typeUrl: subscription.type,
      resources: this.contents(push).map(packResource),
      nonce,
      controlPlane: { identifier },
    });
  },
};
