import { create } from "@bufbuild/protobuf";
import type { Cluster, ClusterLoadAssignment, Listener, RouteConfiguration } from "../api/index.ts";
import {
  CLUSTER_TYPE,
  Cluster_DiscoveryType,
  ClusterLoadAssignmentSchema,
  ClusterSchema,
  ConfigSourceSchema,
  DownstreamTlsContextSchema,
  ENDPOINT_TYPE,
  HttpConnectionManagerSchema,
  LISTENER_TYPE,
  ListenerSchema,
  packAny,
  ROUTE_TYPE,
  RouteConfigurationSchema,
} from "../api/index.ts";
import type { ResourceSnapshot, VersionedResource } from "../server/index.ts";
import { versionedResource } from "../server/index.ts";

const ads = create(ConfigSourceSchema, { configSourceSpecifier: { case: "ads", value: {} } });

/** A cluster whose endpoints come over ADS under its own name; `altStatName` makes contents differ. */
export function cluster(name: string, altStatName = ""): Cluster {
  return create(ClusterSchema, {
    name,
    altStatName,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ads },
  });
}

export function endpoints(clusterName: string, port = 80): ClusterLoadAssignment {
  const address = {
    case: "socketAddress",
    value: { address: "10.0.0.1", portSpecifier: { case: "portValue", value: port } },
  };
  return create(ClusterLoadAssignmentSchema, {
    clusterName,
    endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: "endpoint", value: { address: { address } as never } } }] }],
  });
}

/** A listener whose routes come over ADS under `routeName`, with a validation secret when one is named. */
export function listener(name: string, routeName: string, secretName = "", statPrefix = ""): Listener {
  return create(ListenerSchema, {
    name,
    statPrefix,
    filterChains: [
      {
        filters: [
          {
            name: "http",
            configType: {
              case: "typedConfig",
              value: packAny(HttpConnectionManagerSchema, {
                routeSpecifier: { case: "rds", value: { routeConfigName: routeName, configSource: ads } },
              }),
            },
          },
        ],
        ...(secretName === "" ? {} : { transportSocket: tlsSocket(secretName) }),
      },
    ],
  });
}

function tlsSocket(secretName: string) {
  return {
    name: "tls",
    configType: {
      case: "typedConfig" as const,
      value: packAny(DownstreamTlsContextSchema, {
        commonTlsContext: {
          validationContextType: {
            case: "validationContextSdsSecretConfig",
            value: { name: secretName, sdsConfig: ads },
          },
        },
      }),
    },
  };
}

export function route(name: string, ...domains: string[]): RouteConfiguration {
  return create(RouteConfigurationSchema, { name, virtualHosts: [{ name: "all", domains }] });
}

interface Contents {
  readonly clusters?: readonly Cluster[];
  readonly endpoints?: readonly ClusterLoadAssignment[];
  readonly listeners?: readonly Listener[];
  readonly routes?: readonly RouteConfiguration[];
}

export function snapshot(version: string, contents: Contents): ResourceSnapshot {
  return {
    version,
    resources: new Map([
      [CLUSTER_TYPE, byName(contents.clusters?.map((message) => versionedResource(message.name, message)))],
      [ENDPOINT_TYPE, byName(contents.endpoints?.map((message) => versionedResource(message.clusterName, message)))],
      [LISTENER_TYPE, byName(contents.listeners?.map((message) => versionedResource(message.name, message)))],
      [ROUTE_TYPE, byName(contents.routes?.map((message) => versionedResource(message.name, message)))],
    ]),
  };
}

function byName(resources: readonly VersionedResource[] = []): Map<string, VersionedResource> {
  return new Map(resources.map((resource) => [resource.name, resource]));
}
