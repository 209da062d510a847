import type { RandomSource } from "@heddle/core";
import type { ConnectionView } from "../bind/connection.ts";
import type { MutableHeaders } from "../bind/headers.ts";
import type { BoundCluster, BoundEndpoint, EndpointGroup, PriorityLevel } from "../bind/types.ts";
import { EndpointQueue } from "./endpoint-queue.ts";
import { originalDestination } from "./original-destinations.ts";
import type { LiveState } from "./live-state.ts";

/**
 * Picks an endpoint: the priority level by its load, then by the cluster's policy. undefined: none can be used.
 * - round robin: in turn; by earliest deadline when weights differ.
 * - least request: the least busy of `leastRequestChoices` random ones; when weights differ, by earliest deadline with
 *   weight / (active + 1)^bias.
 * - random: weights do not count (Envoy's RandomLoadBalancer).
 *
 * An ORIGINAL_DST cluster has no choice: it takes the address that the connection, or the header, wants.
 *
 * @param connection the client's
 * @param headers of the request; undefined: there is none, but a connection of bytes
 */
export function pickEndpoint(
  live: LiveState,
  cluster: BoundCluster,
  random: RandomSource,
  connection: ConnectionView,
  headers: MutableHeaders | undefined,
): BoundEndpoint | undefined {
  if (cluster.config.type === "original_dst") {
    const address = originalDestination(cluster.config, connection, headers);
    return address === undefined ? undefined : live.destinations.endpoint(cluster, address);
  }
  const group = pickGroup(cluster.levels, random);
  return group === undefined ? undefined : pickFrom(live, cluster, group, random);
}

/** Any endpoint but those that are ruled out, of the first priority level that has one; undefined: there is none. */
export function pickOther(
  cluster: BoundCluster,
  isRuledOut: (endpoint: BoundEndpoint) => boolean,
  random: RandomSource,
): BoundEndpoint | undefined {
  for (const level of cluster.levels) {
    const others = (level.isPanicking ? level.all : level.healthy).endpoints.filter(
      (endpoint) => !isRuledOut(endpoint),
    );
    if (others.length > 0) return others[Math.floor(random() * others.length)];
  }
  return undefined;
}

function pickGroup(levels: readonly PriorityLevel[], random: RandomSource): EndpointGroup | undefined {
  const first = levels[0];
  if (first === undefined) return undefined;
  if (levels.length === 1 && first.healthyLoad === 100) return groupOf(first, first.healthy);
  let left = random() * 100;
  for (const level of levels) {
    left -= level.healthyLoad;
    if (left < 0) return groupOf(level, level.healthy);
  }
  for (const level of levels) {
    left -= level.degradedLoad;
    if (left < 0) return groupOf(level, level.degraded);
  }
  return groupOf(first, first.healthy);
}

function groupOf(level: PriorityLevel, chosen: EndpointGroup): EndpointGroup | undefined {
  const group = level.isPanicking ? level.all : chosen;
  return group.endpoints.length === 0 ? undefined : group;
}

function pickFrom(
  live: LiveState,
  cluster: BoundCluster,
  group: EndpointGroup,
  random: RandomSource,
): BoundEndpoint | undefined {
  const { endpoints } = group;
  if (endpoints.length === 1) return endpoints[0];
  switch (cluster.config.lb) {
    case "cluster_provided":
      throw new RangeError(`${cluster.name} has no endpoints to choose from`);
    case "random":
      return endpoints[Math.floor(random() * endpoints.length)];
    case "round_robin":
      return group.equalWeights
        ? inTurn(live, group, random)
        : byDeadline(live, group, random, (endpoint) => endpoint.weight);
    case "least_request": {
      if (group.equalWeights) return leastBusy(live, cluster, endpoints, random);
      const bias = cluster.config.leastRequestBias;
      return byDeadline(live, group, random, (endpoint) => biasedWeight(live, endpoint, bias));
    }
  }
}

function inTurn(live: LiveState, group: EndpointGroup, random: RandomSource): BoundEndpoint | undefined {
  const state = live.group(group, random);
  const endpoint = group.endpoints[state.next];
  state.next = state.next + 1 >= group.endpoints.length ? 0 : state.next + 1;
  return endpoint;
}

/** The queue is made at the first use and starts at a random turn. */
function byDeadline(
  live: LiveState,
  group: EndpointGroup,
  random: RandomSource,
  weightOf: (endpoint: BoundEndpoint) => number,
): BoundEndpoint | undefined {
  const state = live.group(group, random);
  if (state.queue === undefined) {
    state.queue = new EndpointQueue(group.endpoints, weightOf);
    for (let skip = state.next; skip > 0; skip--) state.queue.next();
  }
  return state.queue.next();
}

function biasedWeight(live: LiveState, endpoint: BoundEndpoint, bias: number): number {
  const busy = live.endpoint(endpoint).activeRequests + 1;
  if (bias === 1) return endpoint.weight / busy;
  return bias === 0 ? endpoint.weight : endpoint.weight / busy ** bias;
}

function leastBusy(
  live: LiveState,
  cluster: BoundCluster,
  endpoints: readonly BoundEndpoint[],
  random: RandomSource,
): BoundEndpoint | undefined {
  let best: BoundEndpoint | undefined;
  let bestActive = 0;
  for (let choice = 0; choice < cluster.config.leastRequestChoices; choice++) {
    const sample = endpoints[Math.floor(random() * endpoints.length)] as BoundEndpoint;
    const active = live.endpoint(sample).activeRequests;
    if (best === undefined || active < bestActive) {
      best = sample;
      bestActive = active;
    }
  }
  return best;
}
