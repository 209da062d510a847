import {
  type HTTPFault,
  type HttpFilter,
  type HttpRbac,
  type PeerMetadata as PeerMetadataMessage,
  PeerMetadata_Direction,
  type Router,
  type StandardMetrics,
  StandardMetrics_Reporter,
  type TunnelServer,
} from "@heddle/xds/api";
import type { HttpFilterConfig } from "../config/http-connection-manager.ts";
import { loadFault } from "./fault.ts";
import type { Loading, Path } from "./loading.ts";
import { loadHttpRbac } from "./rbac.ts";

const reporters: Readonly<Partial<Record<StandardMetrics_Reporter, "source" | "destination">>> = {
  [StandardMetrics_Reporter.SOURCE]: "source",
  [StandardMetrics_Reporter.DESTINATION]: "destination",
};

const directions: Readonly<Partial<Record<PeerMetadata_Direction, "inbound" | "outbound">>> = {
  [PeerMetadata_Direction.INBOUND]: "inbound",
  [PeerMetadata_Direction.OUTBOUND]: "outbound",
};

/** The filters in order. The router is required and stands last, as in Envoy. */
export function loadHttpFilters(filters: readonly HttpFilter[], at: Path, loading: Loading): HttpFilterConfig[] {
  const names = new Set<string>();
  const configs: HttpFilterConfig[] = [];
  filters.forEach((filter, index) => {
    const where = at.index(index);
    loading.required(filter.name, where.field("name"));
    if (names.has(filter.name))
      loading.problem(where.field("name"), `"${filter.name}" is used twice`, "route overrides need unique names");
    names.add(filter.name);
    const config = loadHttpFilter(filter, where, loading);
    if (config === undefined) return;
    if ((config.kind === "router") !== (index === filters.length - 1)) {
      const message =
        config.kind === "router" ? "the router is not the last filter" : "the last filter is not the router";
      loading.problem(where, message, "put envoy.filters.http.router last");
    }
    configs.push(config);
  });
  if (filters.length === 0) loading.problem(at, "the list is empty", "add envoy.filters.http.router");
  return configs;
}

function loadHttpFilter(filter: HttpFilter, at: Path, loading: Loading): HttpFilterConfig | undefined {
  const where = at.field("typed_config");
  const message = loading.unpack(filter.configType.case === "typedConfig" ? filter.configType.value : undefined, where);
  const { name, disabled } = filter;
  switch (message?.$typeName) {
    case undefined:
      return undefined;
    case "envoy.extensions.filters.http.router.v3.Router":
      if (disabled) loading.problem(at.field("disabled"), "the router cannot be disabled", "remove the field");
      return { kind: "router", name, disabled: false, suppressEnvoyHeaders: (message as Router).suppressEnvoyHeaders };
    case "envoy.extensions.filters.http.rbac.v3.RBAC":
      return { kind: "rbac", name, disabled, rbac: loadHttpRbac(message as HttpRbac, name, where, loading) };
    case "envoy.extensions.filters.http.fault.v3.HTTPFault":
      return { kind: "fault", name, disabled, fault: loadFault(message as HTTPFault, where, loading) };
    case "envoy.extensions.filters.http.grpc_web.v3.GrpcWeb":
      return { kind: "grpc-web", name, disabled };
    case "heddle.v1.StandardMetrics": {
      const reporter = reporters[(message as StandardMetrics).reporter];
      if (reporter === undefined)
        loading.problem(
          where.field("reporter"),
          "the reporter is missing",
          "use REPORTER_SOURCE or REPORTER_DESTINATION",
        );
      return { kind: "standard-metrics", name, disabled, reporter: reporter ?? "source" };
    }
    case "heddle.v1.TunnelServer": {
      const listener = loading.required((message as TunnelServer).listener, where.field("listener"));
      return { kind: "tunnel-server", name, disabled, listener };
    }
    case "heddle.v1.PeerMetadata":
      return loadPeerMetadata(message as PeerMetadataMessage, name, disabled, where, loading);
    default:
      if (message !== undefined) loading.misplaced(message, where, "an HTTP filter");
      return undefined;
  }
}

export function loadPeerMetadata(
  message: PeerMetadataMessage,
  name: string,
  disabled: boolean,
  at: Path,
  loading: Loading,
): Extract<HttpFilterConfig, { kind: "peer-metadata" }> {
  const direction = directions[message.direction];
  if (direction === undefined)
    loading.problem(at.field("direction"), "the direction is missing", "use DIRECTION_INBOUND or DIRECTION_OUTBOUND");
  const { local } = message;
  return {
    kind: "peer-metadata",
    name,
    disabled,
    direction: direction ?? "inbound",
    local:
      local === undefined
        ? undefined
        : {
            workload: local.workload,
            namespace: local.namespace,
            canonicalService: local.canonicalService,
            canonicalRevision: local.canonicalRevision,
            app: local.app,
            version: local.version,
            cluster: local.cluster,
            principal: local.principal,
          },
  };
}
