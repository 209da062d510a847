import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** What of `/config_dump` is asked for. */
export interface ConfigQuery {
  /** A list in one of the dumps, like `dynamic_listeners`; only its members are shown. */
  readonly resource: string | null;
  /** Paths of fields, by commas; what no path leads to is left out (google.protobuf.FieldMask). */
  readonly mask: string | null;
  /** The whole name of a resource must match it. */
  readonly nameRegex: string | null;
}

export type QueriedConfig =
  | { readonly configs: JsonValue[] }
  | { readonly configs: undefined; readonly status: number; readonly problem: string };

/** Types of the members of Envoy's dumps, by the list in which they stand. */
const memberTypes: Readonly<Record<string, string>> = {
  static_listeners: "ListenersConfigDump.StaticListener",
  dynamic_listeners: "ListenersConfigDump.DynamicListener",
  static_clusters: "ClustersConfigDump.StaticCluster",
  dynamic_active_clusters: "ClustersConfigDump.DynamicCluster",
  static_route_configs: "RoutesConfigDump.StaticRouteConfig",
  dynamic_route_configs: "RoutesConfigDump.DynamicRouteConfig",
  static_secrets: "SecretsConfigDump.StaticSecret",
  dynamic_active_secrets: "SecretsConfigDump.DynamicSecret",
  static_endpoint_configs: "EndpointsConfigDump.StaticEndpointConfig",
  dynamic_endpoint_configs: "EndpointsConfigDump.DynamicEndpointConfig",
};

/** Envoy's `?resource=`, `?mask=` and `?name_regex=` on what `/config_dump` would show without them. */
export function queryConfig(dumps: readonly JsonValue[], { resource, mask, nameRegex }: ConfigQuery): QueriedConfig {
  let pattern: RegExp | undefined;
  try {
    pattern = nameRegex === null ? undefined : new RegExp(`^(?:${nameRegex})$`, "u");
  } catch (error) {
    return { configs: undefined, status: 400, problem: `Error while parsing name_regex: ${(error as Error).message}` };
  }
  const paths = mask?.split(",").map((path) => path.trim().split("."));
  const trimmed = (value: JsonObject): JsonObject =>
    paths === undefined ? value : { ...typeOf(value), ...trim(value, paths) };
  if (resource === null) {
    const named = pattern === undefined ? dumps : dumps.map((dump) => withNames(dump as JsonObject, pattern));
    return { configs: named.map((dump) => trimmed(dump as JsonObject)) };
  }
  if (resource === "bootstrap") {
    const dump = dumps.find((one) => Object.hasOwn(one as JsonObject, "bootstrap")) as JsonObject | undefined;
    const bootstrap = {
      "@type": "type.googleapis.com/envoy.config.bootstrap.v3.Bootstrap",
      ...(dump?.["bootstrap"] as JsonObject),
    };
    return { configs: [trimmed(bootstrap)] };
  }
  const type = memberTypes[resource];
  const members = dumps.flatMap((dump) => ((dump as JsonObject)[resource] as JsonObject[] | undefined) ?? []);
  if (type === undefined) return { configs: undefined, status: 404, problem: `${resource} not found in config dump` };
  const wanted = pattern === undefined ? members : members.filter((member) => pattern.test(nameOf(member)));
  return {
    configs: wanted.map((member) => trimmed({ "@type": `type.googleapis.com/envoy.admin.v3.${type}`, ...member })),
  };
}

function typeOf(value: JsonObject): JsonObject {
  const type = value["@type"];
  return type === undefined ? {} : { "@type": type };
}

function withNames(dump: JsonObject, pattern: RegExp): JsonObject {
  return Object.fromEntries(
    Object.entries(dump).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.filter((member) => pattern.test(nameOf(member as JsonObject))) : value,
    ]),
  );
}

/** A dynamic listener and a secret have names of their own, all others one in the resource that they hold. */
function nameOf(member: JsonObject): string {
  if (typeof member["name"] === "string") return member["name"];
  for (const value of Object.values(member)) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) continue;
    const { name, cluster_name: cluster } = value;
    if (typeof name === "string") return name;
    if (typeof cluster === "string") return cluster;
  }
  return "";
}

function trim(value: JsonObject, paths: readonly (readonly string[])[]): JsonObject {
  const kept: JsonObject = {};
  for (const [key, member] of Object.entries(value)) {
    const below = paths.filter(([first]) => first === key).map(([, ...rest]) => rest);
    if (below.length === 0) continue;
    const isWhole = below.some((rest) => rest.length === 0);
    if (isWhole || typeof member !== "object" || member === null) kept[key] = member;
    // A mask goes through messages; Envoy gives lists whole or not at all, which would hide nothing: here it goes into their members.
    else if (Array.isArray(member)) kept[key] = member.map((one) => (isObject(one) ? trim(one, below) : one));
    else kept[key] = trim(member, below);
  }
  return kept;
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
