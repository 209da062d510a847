import { ClusterSchema } from "../gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ClusterLoadAssignmentSchema } from "../gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import { ListenerSchema } from "../gen/envoy/config/listener/v3/listener_pb.ts";
import { RouteConfigurationSchema } from "../gen/envoy/config/route/v3/route_pb.ts";
import { SecretSchema } from "../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";

export const LISTENER_TYPE = "type.googleapis.com/envoy.config.listener.v3.Listener";
export const ROUTE_TYPE = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
export const CLUSTER_TYPE = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
export const ENDPOINT_TYPE = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
export const SECRET_TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

/** The resource types that travel over ADS, each with the schema of its messages. */
export const resourceSchemas = {
  [LISTENER_TYPE]: ListenerSchema,
  [ROUTE_TYPE]: RouteConfigurationSchema,
  [CLUSTER_TYPE]: ClusterSchema,
  [ENDPOINT_TYPE]: ClusterLoadAssignmentSchema,
  [SECRET_TYPE]: SecretSchema,
} as const;

/** Type URL of a resource that travels over ADS. */
export type ResourceType = keyof typeof resourceSchemas;
