import { type create, packAny } from "@heddle/xds/api";

type Schema = Parameters<typeof create>[0];
type Init<Desc extends Schema> = Parameters<typeof packAny<Desc>>[1];

/** `name` and `typed_config` of a filter, transport socket, access log or any other extension. */
export function extension<Desc extends Schema>(name: string, schema: Desc, config: Init<Desc>) {
  return { name, configType: { case: "typedConfig" as const, value: packAny(schema, config) } };
}

/** `google.protobuf.Duration`. */
export function duration(ms: number): { seconds: bigint; nanos: number } {
  const nanos = Math.round((ms % 1000) * 1e6);
  return nanos === 1e9
    ? { seconds: BigInt(Math.trunc(ms / 1000) + 1), nanos: 0 }
    : { seconds: BigInt(Math.trunc(ms / 1000)), nanos };
}

/** A listener's addresses: the first, and the others, on one port. */
export function listenerAddresses(addresses: readonly string[], port: number) {
  const [first = "", ...others] = addresses;
  return {
    address: tcpAddress(first, port),
    additionalAddresses: others.map((address) => ({ address: tcpAddress(address, port) })),
  };
}

/** `envoy.config.core.v3.Address` of a TCP port. */
export function tcpAddress(address: string, port: number) {
  return {
    address: {
      case: "socketAddress" as const,
      value: { address, portSpecifier: { case: "portValue" as const, value: port } },
    },
  };
}
