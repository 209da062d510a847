import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE, SECRET_TYPE } from "../api/index.ts";
import type { ResourceSnapshot, VersionedResource } from "./snapshot.ts";
import type { Push, Subscription } from "./subscription.ts";

/**
 * Make before break: what is referred to goes before what refers to it, so that no listener or route ever names something
 * that the proxy does not have.
 */
const stages: readonly (readonly string[])[] = [
  [SECRET_TYPE, CLUSTER_TYPE],
  [ENDPOINT_TYPE],
  [LISTENER_TYPE],
  [ROUTE_TYPE],
];
const orderedTypes: ReadonlySet<string> = new Set(stages.flat());

/**
 * Removals in the opposite direction, each with the types that may still refer to it. While one of those has refused a
 * change, the proxy may run on an older version that needs what would be removed.
 */
const removalOrder: readonly { type: string; referrers: readonly string[] }[] = [
  { type: LISTENER_TYPE, referrers: [] },
  { type: ROUTE_TYPE, referrers: [LISTENER_TYPE] },
  { type: CLUSTER_TYPE, referrers: [LISTENER_TYPE, ROUTE_TYPE] },
  { type: ENDPOINT_TYPE, referrers: [LISTENER_TYPE, ROUTE_TYPE, CLUSTER_TYPE] },
  { type: SECRET_TYPE, referrers: [LISTENER_TYPE, CLUSTER_TYPE] },
];

const noResources: ReadonlyMap<string, VersionedResource> = new Map();

/**
 * The next response that a stream should get on its way to `snapshot`; undefined when it has to answer first or has
 * everything.
 *
 * Every stage waits until the one before is answered, removals until every addition is; only those of listeners go with the
 * additions. A refusal counts as an answer here:
 * the proxy has applied the valid resources of the batch, and one bad cluster must not freeze endpoints and policies.
 */
export function nextPush(
  subscriptions: ReadonlyMap<string, Subscription>,
  snapshot: ResourceSnapshot,
): Push | undefined {
  const others = [...subscriptions.keys()].filter((type) => !orderedTypes.has(type));
  for (const stage of [...stages, others]) {
    let isWaiting = false;
    for (const type of stage) {
      const subscription = subscriptions.get(type);
      if (subscription === undefined) continue;
      if (subscription.isOutstanding) {
        isWaiting = true;
        continue;
      }
      const resources = resourcesOf(snapshot, type);
      const push = subscription.additions(resources);
      if (push === undefined) continue;
      if (type !== LISTENER_TYPE) return push;
      // Nothing refers to a listener, and one that comes may need the port of one that goes (Envoy refuses a second listener on it).
      return { ...push, removed: subscription.removals(resources)?.removed ?? [] };
    }
    if (isWaiting) return undefined;
  }
  return nextRemoval(subscriptions, snapshot, others);
}

function nextRemoval(
  subscriptions: ReadonlyMap<string, Subscription>,
  snapshot: ResourceSnapshot,
  others: readonly string[],
): Push | undefined {
  for (const { type, referrers } of [...removalOrder, ...others.map((other) => ({ type: other, referrers: [] }))]) {
    const subscription = subscriptions.get(type);
    if (subscription === undefined) continue;
    const resources = resourcesOf(snapshot, type);
    const push = subscription.removals(resources);
    if (push === undefined) {
      subscription.settle(resources);
    } else if (!referrers.some((referrer) => subscriptions.get(referrer)?.isRefused === true)) {
      return push;
    }
  }
  return undefined;
}

function resourcesOf(snapshot: ResourceSnapshot, type: string): ReadonlyMap<string, VersionedResource> {
  return snapshot.resources.get(type) ?? noResources;
}
