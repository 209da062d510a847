import type { FilterChainConfig, ListenerConfig } from "../config/listener.ts";
import type { HttpConnectionManagerConfig } from "../config/http-connection-manager.ts";
import { bindFault } from "./fault.ts";
import { FilterChainIndex } from "./filter-chain-index.ts";
import { BoundCidr } from "./ip-address.ts";
import { bindListenerFilters } from "./listener-filters.ts";
import { bindRbacFilter } from "./rbac.ts";
import { bindRouteTable } from "./route-table.ts";
import type { BoundFilterChain, BoundHttpConnectionManager, BoundHttpFilter, BoundListener } from "./types.ts";

export function bindListener(config: ListenerConfig): BoundListener {
  const chains = config.filterChains.map(bindFilterChain);
  return {
    name: config.name,
    config,
    filters: bindListenerFilters(config),
    chains,
    defaultChain: config.defaultFilterChain === undefined ? undefined : bindFilterChain(config.defaultFilterChain),
    index: new FilterChainIndex(chains.map((chain) => ({ match: chain.config.match, chain }))),
  };
}

function bindFilterChain(config: FilterChainConfig): BoundFilterChain {
  const { terminal } = config;
  return {
    name: config.name,
    config,
    networkRbac: config.networkRbac.map(bindRbacFilter),
    http: terminal.kind === "http" ? bindHttpConnectionManager(terminal.http) : undefined,
    tcp: terminal.kind === "tcp" ? terminal.tcp : undefined,
    provenance: config.provenance,
  };
}

function bindHttpConnectionManager(config: HttpConnectionManagerConfig): BoundHttpConnectionManager {
  const filters: BoundHttpFilter[] = [];
  let suppressEnvoyHeaders = false;
  for (const filter of config.filters) {
    const { name, disabled } = filter;
    if (filter.kind === "rbac") filters.push({ kind: "rbac", name, disabled, rbac: bindRbacFilter(filter.rbac) });
    else if (filter.kind === "fault") filters.push({ kind: "fault", name, disabled, fault: bindFault(filter.fault) });
    else if (filter.kind === "grpc-web") filters.push({ kind: "grpc-web", name, disabled });
    else if (filter.kind === "tunnel-server")
      filters.push({ kind: "tunnel-server", name, disabled, listener: filter.listener });
    else if (filter.kind === "router") suppressEnvoyHeaders = filter.suppressEnvoyHeaders;
  }
  return {
    config,
    routeTable: config.routeTable === undefined ? undefined : bindRouteTable(config.routeTable),
    filters,
    internalCidrs: config.internalCidrs.map((range) => new BoundCidr(range)),
    suppressEnvoyHeaders,
  };
}
