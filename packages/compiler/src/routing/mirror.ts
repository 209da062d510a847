import type { Destination, HttpRoute } from "@heddle/api";
import { destinationCluster, type DestinationResolver } from "./destination-cluster.ts";
import { fractionOf } from "./fraction.ts";

/**
 * Copies of requests, whose answers nobody waits for. Without a percentage every request is copied; with an explicit 0, none. The copy
 * keeps the host as it is: Istio no longer appends `-shadow`; and it is never sampled for tracing (istio.md 4.4).
 */
export function compileMirrors(route: HttpRoute, requestPort: number, resolver: DestinationResolver) {
  const mirrors: { destination: Destination; percent: number }[] = (route.mirrors ?? []).map((mirror) => ({
    destination: mirror.destination,
    percent: mirror.percentage === undefined ? 100 : (mirror.percentage.value ?? 0),
  }));
  if (route.mirror !== undefined) {
    const percentage = route.mirrorPercentage;
    mirrors.unshift({ destination: route.mirror, percent: percentage === undefined ? 100 : (percentage.value ?? 0) });
  }
  return mirrors
    .filter(({ percent }) => percent > 0)
    .map(({ destination, percent }) => ({
      cluster: destinationCluster(destination, requestPort, resolver),
      runtimeFraction: { defaultValue: fractionOf(percent) },
      traceSampled: false,
      disableShadowHostSuffixAppend: true,
    }));
}
