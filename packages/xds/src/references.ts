import type { DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import { isMessage } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import type {
  Cluster,
  CommonTlsContext,
  ConfigSource,
  FilterChain,
  Listener,
  SdsSecretConfig,
  TransportSocket,
} from "./api/index.ts";
import {
  Cluster_DiscoveryType,
  ClusterSchema,
  DownstreamTlsContextSchema,
  HttpConnectionManagerSchema,
  ListenerSchema,
  unpackAny,
  UpstreamTlsContextSchema,
} from "./api/index.ts";

/** Names of the resources that a resource needs from ADS before it can serve. */
export interface References {
  readonly endpoints: readonly string[];
  readonly routes: readonly string[];
  readonly secrets: readonly string[];
}

const none: References = { endpoints: [], routes: [], secrets: [] };

/** A push hands one message to many streams; what it refers to is found once. Messages are never changed after that. */
const known = new WeakMap<Message, References>();

/**
 * What a cluster or a listener refers to over ADS; nothing for other messages. A nested config that cannot be read
 * refers to nothing: to reject it is its consumer's task.
 */
export function referencesOf(message: Message): References {
  let references = known.get(message);
  if (references === undefined) {
    references = findReferences(message);
    known.set(message, references);
  }
  return references;
}

function findReferences(message: Message): References {
  if (isMessage(message, ClusterSchema)) {
    return {
      endpoints: endpointsOf(message),
      routes: [],
      secrets: unique(transportSocketsOf(message).flatMap(secretsOf)),
    };
  }
  if (isMessage(message, ListenerSchema)) {
    const chains = filterChainsOf(message);
    const sockets = chains.flatMap((chain) => (chain.transportSocket === undefined ? [] : [chain.transportSocket]));
    return { endpoints: [], routes: unique(routesOf(message, chains)), secrets: unique(sockets.flatMap(secretsOf)) };
  }
  return none;
}

function endpointsOf(cluster: Cluster): string[] {
  const isEds =
    cluster.clusterDiscoveryType.case === "type" && cluster.clusterDiscoveryType.value === Cluster_DiscoveryType.EDS;
  const config = cluster.edsClusterConfig;
  if (!isEds || !isFromAds(config?.edsConfig)) return [];
  return [config?.serviceName === undefined || config.serviceName === "" ? cluster.name : config.serviceName];
}

function transportSocketsOf(cluster: Cluster): TransportSocket[] {
  return [cluster.transportSocket, ...cluster.transportSocketMatches.map((match) => match.transportSocket)].filter(
    (socket) => socket !== undefined,
  );
}

function filterChainsOf(listener: Listener): FilterChain[] {
  return listener.defaultFilterChain === undefined
    ? listener.filterChains
    : [...listener.filterChains, listener.defaultFilterChain];
}

function routesOf(listener: Listener, chains: readonly FilterChain[]): string[] {
  const configs = chains
    .flatMap((chain) => chain.filters)
    .flatMap((filter) => (filter.configType.case === "typedConfig" ? [filter.configType.value] : []));
  if (listener.apiListener?.apiListener !== undefined) configs.push(listener.apiListener.apiListener);
  return configs.flatMap((config) => {
    const specifier = unpacked(config, HttpConnectionManagerSchema)?.routeSpecifier;
    return specifier?.case === "rds" && isFromAds(specifier.value.configSource)
      ? [specifier.value.routeConfigName]
      : [];
  });
}

function secretsOf(socket: TransportSocket): string[] {
  if (socket.configType.case !== "typedConfig") return [];
  const config = socket.configType.value;
  const context =
    unpacked(config, DownstreamTlsContextSchema)?.commonTlsContext ??
    unpacked(config, UpstreamTlsContextSchema)?.commonTlsContext;
  return context === undefined
    ? []
    : secretConfigsOf(context)
        .filter((secret) => isFromAds(secret.sdsConfig))
        .map((secret) => secret.name);
}

function secretConfigsOf(context: CommonTlsContext): SdsSecretConfig[] {
  const certificates = context.tlsCertificateSdsSecretConfigs;
  const validation = context.validationContextType;
  switch (validation.case) {
    case "validationContextSdsSecretConfig":
      return [...certificates, validation.value];
    case "combinedValidationContext":
      return validation.value.validationContextSdsSecretConfig === undefined
        ? certificates
        : [...certificates, validation.value.validationContextSdsSecretConfig];
    default:
      return certificates;
  }
}

function isFromAds(source: ConfigSource | undefined): boolean {
  return source?.configSourceSpecifier.case === "ads";
}

function unpacked<Desc extends DescMessage>(any: Any, schema: Desc): MessageShape<Desc> | undefined {
  try {
    return unpackAny(any, schema);
  } catch {
    // Bytes that are no such message: the consumer of the resource rejects it and says where.
    return undefined;
  }
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
