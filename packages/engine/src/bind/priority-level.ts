import type { BoundEndpoint, EndpointGroup, PriorityLevel } from "./types.ts";

function groupOf(endpoints: readonly BoundEndpoint[]): EndpointGroup {
  const first = endpoints[0];
  return { endpoints, equalWeights: endpoints.every((endpoint) => endpoint.weight === first?.weight) };
}

interface Availability {
  readonly healthy: number;
  readonly degraded: number;
}

/**
 * Envoy's priority load (LoadBalancerBase). A level's availability is the percentage of its endpoints that are healthy,
 * times the overprovisioning factor, at most 100; traffic goes to the first level as far as that reaches, then to the
 * next, healthy endpoints of every level before degraded ones. A level whose healthy share is below the panic threshold
 * is used whole, unless the levels together can take everything. Draining endpoints take no part (Envoy excludes hosts
 * with EDS status DRAINING) and, unlike in Envoy, are not used in panic either.
 */
export function priorityLevels(
  endpoints: readonly BoundEndpoint[],
  overprovisioningFactor: number,
  panicThreshold: number,
): readonly PriorityLevel[] {
  const priorities = [...new Set(endpoints.map((endpoint) => endpoint.priority))].sort((a, b) => a - b);
  const groups = priorities.map((priority) => {
    const all = endpoints.filter((endpoint) => endpoint.priority === priority && endpoint.health !== "draining");
    return {
      priority,
      all,
      healthy: all.filter((endpoint) => endpoint.health === "healthy"),
      degraded: all.filter((endpoint) => endpoint.health === "degraded"),
    };
  });
  const share = (part: number, whole: number): number =>
    whole === 0 ? 0 : Math.min(100, Math.floor((overprovisioningFactor * part) / whole));
  const availability: Availability[] = groups.map(({ all, healthy, degraded }) => ({
    healthy: share(healthy.length, all.length),
    degraded: share(degraded.length, all.length),
  }));
  const total = Math.min(
    100,
    availability.reduce((sum, { healthy, degraded }) => sum + healthy + degraded, 0),
  );
  const isPanicking = groups.map(({ all, healthy, degraded }) => {
    const usable = all.length === 0 ? 0 : (100 * (healthy.length + degraded.length)) / all.length;
    return total !== 100 && panicThreshold > 0 && usable < panicThreshold;
  });
  const isTotalPanic = groups.length > 0 && isPanicking.every(Boolean);
  const loads = isTotalPanic
    ? loadsBySize(groups.map(({ all }) => all.length))
    : loadsByAvailability(availability, total);
  return groups.map(({ priority, all, healthy, degraded }, index) => ({
    priority,
    all: groupOf(all),
    healthy: groupOf(healthy),
    degraded: groupOf(degraded),
    healthyLoad: loads[index]?.healthy ?? 0,
    degradedLoad: loads[index]?.degraded ?? 0,
    isPanicking: isPanicking[index] ?? false,
  }));
}

/** When every level panics, by the number of endpoints. */
function loadsBySize(sizes: readonly number[]): Availability[] {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const loads = sizes.map((size) => (total === 0 ? 0 : Math.floor((100 * size) / total)));
  const first = sizes.findIndex((size) => size > 0);
  const rest = 100 - loads.reduce((sum, load) => sum + load, 0);
  return loads.map((load, index) => ({ healthy: index === first ? load + rest : load, degraded: 0 }));
}

/** Healthy shares from the first level on, then degraded ones; rounding goes to the first share that is not zero. */
function loadsByAvailability(availability: readonly Availability[], total: number): Availability[] {
  if (total === 0) return availability.map((_, index) => ({ healthy: index === 0 ? 100 : 0, degraded: 0 }));
  let left = 100;
  const take = (available: number): number => {
    const load = Math.min(left, Math.floor((available * 100) / total));
    left -= load;
    return load;
  };
  const healthy = availability.map((level) => take(level.healthy));
  const degraded = availability.map((level) => take(level.degraded));
  const firstHealthy = healthy.findIndex((load) => load > 0);
  if (firstHealthy !== -1) healthy[firstHealthy] = (healthy[firstHealthy] ?? 0) + left;
  else {
    const firstDegraded = degraded.findIndex((load) => load > 0);
    if (firstDegraded !== -1) degraded[firstDegraded] = (degraded[firstDegraded] ?? 0) + left;
  }
  return availability.map((_, index) => ({ healthy: healthy[index] ?? 0, degraded: degraded[index] ?? 0 }));
}
