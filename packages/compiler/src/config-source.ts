import { ApiConfigSource_ApiType, ApiVersion, type ConfigSourceSchema, type MessageInitShape } from "@heddle/xds/api";
import { duration } from "./wire.ts";

type ConfigSourceInit = MessageInitShape<typeof ConfigSourceSchema>;

/**
 * The stream that the resource came on. A proxy that lacks one resource waits for it instead of serving without it after Envoy's
 * 15 seconds: 0 is "no limit".
 */
export function adsSource(): ConfigSourceInit {
  return {
    configSourceSpecifier: { case: "ads", value: {} },
    initialFetchTimeout: duration(0),
    resourceApiVersion: ApiVersion.V3,
  };
}

/** The secret server beside the proxy: Heddle's proxy is its own, Envoy has `heddle agent`. Keys never come from afar. */
export function localSecretSource(): ConfigSourceInit {
  return {
    configSourceSpecifier: {
      case: "apiConfigSource",
      value: {
        apiType: ApiConfigSource_ApiType.GRPC,
        transportApiVersion: ApiVersion.V3,
        setNodeOnFirstMessageOnly: true,
        grpcServices: [{ targetSpecifier: { case: "envoyGrpc", value: { clusterName: "sds-grpc" } } }],
      },
    },
    initialFetchTimeout: duration(0),
    resourceApiVersion: ApiVersion.V3,
  };
}
