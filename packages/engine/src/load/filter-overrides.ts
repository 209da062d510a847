import type { Any, HTTPFault, HttpRbacPerRoute } from "@heddle/xds/api";
import type { FilterOverride, FilterOverrides } from "../config/route.ts";
import { loadFault } from "./fault.ts";
import type { Loading, Path } from "./loading.ts";
import { loadHttpRbacPerRoute } from "./rbac.ts";

/** `typed_per_filter_config`: what a route, virtual host, weighted cluster or table says for single filters. */
export function loadFilterOverrides(
  configs: Readonly<Record<string, Any>>,
  at: Path,
  loading: Loading,
): FilterOverrides {
  const overrides: Record<string, FilterOverride> = {};
  for (const [name, any] of Object.entries(configs)) {
    const override = loadOverride(name, any, at.key(name), loading);
    if (override !== undefined) overrides[name] = override;
  }
  return overrides;
}

function loadOverride(name: string, any: Any, at: Path, loading: Loading): FilterOverride | undefined {
  const message = loading.unpack(any, at);
  switch (message?.$typeName) {
    case undefined:
      return undefined;
    case "envoy.extensions.filters.http.fault.v3.HTTPFault":
      return { kind: "fault", fault: loadFault(message as HTTPFault, at, loading) };
    case "envoy.extensions.filters.http.rbac.v3.RBACPerRoute":
      return { kind: "rbac", rbac: loadHttpRbacPerRoute(message as HttpRbacPerRoute, name, at, loading) };
    default:
      if (message !== undefined) loading.misplaced(message, at, "HTTPFault or RBACPerRoute");
      return undefined;
  }
}
