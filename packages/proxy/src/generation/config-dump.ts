import { fromBinary, type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import {
  resourceSchemas,
  CLUSTER_TYPE,
  ENDPOINT_TYPE,
  LISTENER_TYPE,
  ROUTE_TYPE,
  SECRET_TYPE,
  typeRegistry,
  type ResourceType,
} from "@heddle/xds/api";
import { BootstrapSchema } from "@heddle/xds/api/bootstrap";
import type { BootstrapConfig } from "../bootstrap/bootstrap.ts";
import type { Configuration, HeldResource, RefusedResource } from "./configuration.ts";

/** Fields whose values are secrets, wherever they stand in a message. */
const secretFields = new Set([
  "private_key",
  "password",
  "session_ticket_keys",
  "generic_secret",
  "private_key_provider",
]);

const adminType = (name: string): string => `type.googleapis.com/envoy.admin.v3.${name}`;

/** Envoy's `/config_dump`, from what is in force; nothing that could authenticate anybody leaves with it. */
export function configDump(
  bootstrap: Pick<BootstrapConfig, "value">,
  configuration: Configuration,
  includeEndpoints: boolean,
): JsonValue[] {
  const all = [...configuration.held()];
  const ofType = (type: ResourceType): Held[] => all.filter((held) => held.type === type);
  const dumps: JsonValue[] = [
    {
      "@type": adminType("BootstrapConfigDump"),
      bootstrap: redacted(
        toJson(BootstrapSchema, fromBinary(BootstrapSchema, bootstrap.value), {
          registry: typeRegistry,
          useProtoFieldName: true,
        }),
      ),
    },
    clustersDump(ofType(CLUSTER_TYPE)),
    listenersDump(ofType(LISTENER_TYPE), configuration),
    routesDump(ofType(ROUTE_TYPE)),
    secretsDump(ofType(SECRET_TYPE), configuration),
  ];
  if (includeEndpoints) dumps.push(endpointsDump(ofType(ENDPOINT_TYPE), ofType(CLUSTER_TYPE)));
  return dumps;
}

type Held = HeldResource & { readonly isStatic: boolean };

function clustersDump(held: readonly Held[]): JsonObject {
  return {
    "@type": adminType("ClustersConfigDump"),
    static_clusters: held
      .filter((one) => one.isStatic)
      .map((one) => ({ cluster: messageOf(one), last_updated: updated(one) })),
    dynamic_active_clusters: held
      .filter((one) => !one.isStatic)
      .map((one) => ({ version_info: one.version, cluster: messageOf(one), last_updated: updated(one) })),
  };
}

function listenersDump(held: readonly Held[], configuration: Configuration): JsonObject {
  return {
    "@type": adminType("ListenersConfigDump"),
    static_listeners: held
      .filter((one) => one.isStatic)
      .map((one) => ({ listener: messageOf(one), last_updated: updated(one) })),
    dynamic_listeners: held
      .filter((one) => !one.isStatic)
      .map((one) => {
        const state = { version_info: one.version, listener: messageOf(one), last_updated: updated(one) };
        const isActive = configuration.active.listeners.has(one.name);
        return {
          name: one.name,
          ...(isActive ? { active_state: state } : { warming_state: state }),
          ...errorState(configuration.refused(LISTENER_TYPE, one.name)),
        };
      }),
  };
}

function routesDump(held: readonly Held[]): JsonObject {
  const configs = held.map((one) => ({
    version_info: one.version,
    route_config: messageOf(one),
    last_updated: updated(one),
  }));
  return { "@type": adminType("RoutesConfigDump"), dynamic_route_configs: configs };
}

function secretsDump(held: readonly Held[], configuration: Configuration): JsonObject {
  const own = [...configuration.active.secrets].filter(({ source }) => source === "local");
  return {
    "@type": adminType("SecretsConfigDump"),
    static_secrets: held
      .filter((one) => one.isStatic)
      .map((one) => ({ name: one.name, secret: messageOf(one), last_updated: updated(one) })),
    dynamic_active_secrets: [
      ...held
        .filter((one) => !one.isStatic)
        .map((one) => ({
          name: one.name,
          version_info: one.version,
          secret: messageOf(one),
          last_updated: updated(one),
        })),
      ...own.map(({ secret }) => ({
        name: secret.name,
        secret:
          secret.kind === "certificate"
            ? {
                tls_certificate: {
                  certificate_chain: { inline_string: secret.certificateChainPem },
                  private_key: { inline_string: "[redacted]" },
                },
              }
            : {},
      })),
    ],
  };
}

function endpointsDump(held: readonly Held[], clusters: readonly Held[]): JsonObject {
  return {
    "@type": adminType("EndpointsConfigDump"),
    // Those that stand in their cluster, whoever sent it (Envoy).
    static_endpoint_configs: clusters.flatMap((one) => {
      const { load_assignment: assignment } = messageOf(one) as JsonObject;
      if (assignment === undefined) return [];
      return [
        { endpoint_config: { "@type": ENDPOINT_TYPE, ...(assignment as JsonObject) }, last_updated: updated(one) },
      ];
    }),
    dynamic_endpoint_configs: held.map((one) => ({
      version_info: one.version,
      endpoint_config: messageOf(one),
      last_updated: updated(one),
    })),
  };
}

function errorState(refused: RefusedResource | undefined): JsonObject {
  if (refused === undefined) return {};
  const { version, reason, atMs } = refused;
  return { error_state: { version_info: version, details: reason, last_update_attempt: new Date(atMs).toISOString() } };
}

function updated(held: Held): string {
  return new Date(held.updatedAtMs).toISOString();
}

function messageOf(held: Held): JsonValue {
  const schema = resourceSchemas[held.type];
  const json = toJson(schema, fromBinary(schema, held.value), {
    registry: typeRegistry,
    useProtoFieldName: true,
  });
  return redacted({ "@type": held.type, ...(json as JsonObject) });
}

/** Replaces every leaf below a secret field; the shape stays, so that one sees what is set. */
function redacted(value: JsonValue, isSecret = false): JsonValue {
  if (Array.isArray(value)) return value.map((item) => redacted(item, isSecret));
  if (typeof value !== "object" || value === null) return isSecret ? "[redacted]" : value;
  const copy: JsonObject = {};
  for (const [key, item] of Object.entries(value)) copy[key] = redacted(item, isSecret || secretFields.has(key));
  return copy;
}
