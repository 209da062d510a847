import {
  type Address,
  type DataSource,
  type FractionalPercent,
  FractionalPercent_DenominatorType,
  type Metadata,
  type RuntimeFractionalPercent,
  SocketAddress_Protocol,
} from "@heddle/xds/api";
import { canonicalIp } from "../bind/ip-address.ts";
import type { Provenance, SocketAddress, StringMetadata } from "../config/address.ts";
import type { Fraction } from "../config/string-match.ts";
import type { Loading, LoadOptions, Path } from "./loading.ts";

/** `per_connection_buffer_limit_bytes` of listeners and clusters: what Envoy advises for an edge (hardening.md section 2); its own is 1 MiB. */
export const defaultBufferBytes = 32 * 1024;

/** An address of a listener or endpoint, of TCP unless said otherwise. `names` allows host names besides IP literals. */
export function loadAddress(
  address: Address | undefined,
  at: Path,
  loading: Loading,
  names: "names" | "ip-only",
  protocol: SocketAddress_Protocol = SocketAddress_Protocol.TCP,
): SocketAddress {
  const none = { host: "0.0.0.0", port: 0 };
  if (address?.address.case !== "socketAddress") {
    loading.problem(at, "a socket address is required", "give socket_address with address and port_value");
    return none;
  }
  const socket = address.address.value;
  const where = at.field("socket_address");
  if (socket.protocol !== protocol) {
    const name = protocol === SocketAddress_Protocol.UDP ? "UDP" : "TCP";
    loading.problem(where.field("protocol"), `it has to be ${name} here`, `use ${name}`);
  }
  const ip = canonicalIp(socket.address);
  if (socket.address === "" || (ip === undefined && names === "ip-only")) {
    loading.problem(where.field("address"), `"${socket.address}" is not an IP address`, "give an IPv4 or IPv6 address");
  }
  if (socket.portSpecifier.case !== "portValue") {
    loading.problem(where.field("port_value"), "a port is required", "give port_value");
    return none;
  }
  const port = loading.range(socket.portSpecifier.value, where.field("port_value"), 0, 65535);
  return { host: ip ?? socket.address, port };
}

/** Text of a data source; files and environment variables are read through the options. undefined after a problem. */
export function loadDataSource(
  source: DataSource | undefined,
  at: Path,
  loading: Loading,
  readFile: LoadOptions["readFile"] = loading.options.readFile,
): string | undefined {
  const { environment } = loading.options;
  switch (source?.specifier.case) {
    case "inlineString":
      return source.specifier.value;
    case "inlineBytes":
      return new TextDecoder().decode(source.specifier.value);
    case "filename": {
      const bytes = readFile?.(source.specifier.value);
      if (bytes !== undefined) return new TextDecoder().decode(bytes);
      const why = readFile === undefined ? "files are not read here" : "the file cannot be read";
      loading.problem(
        at.field("filename"),
        `${source.specifier.value}: ${why}`,
        "check the path, or give the content inline",
      );
      return undefined;
    }
    case "environmentVariable": {
      const value = environment?.[source.specifier.value];
      if (value === undefined) {
        loading.problem(
          at.field("environment_variable"),
          `${source.specifier.value} is not set`,
          "set it, or give the content inline",
        );
      }
      return value;
    }
    case undefined:
      loading.problem(at, "there is no data", "give inline_string, inline_bytes, filename or environment_variable");
      return undefined;
  }
}

const denominators: Readonly<Record<FractionalPercent_DenominatorType, Fraction["denominator"]>> = {
  [FractionalPercent_DenominatorType.HUNDRED]: 100,
  [FractionalPercent_DenominatorType.TEN_THOUSAND]: 10_000,
  [FractionalPercent_DenominatorType.MILLION]: 1_000_000,
};

/** An absent percentage is 0 %, as in Envoy. */
export function loadFraction(percent: FractionalPercent | undefined): Fraction {
  if (percent === undefined) return { numerator: 0, denominator: 100 };
  return { numerator: percent.numerator, denominator: denominators[percent.denominator] ?? 100 };
}

/** The default value counts, since there is no runtime to override it. An absent default is 0 %. */
export function loadRuntimeFraction(fraction: RuntimeFractionalPercent | undefined): Fraction | undefined {
  return fraction === undefined ? undefined : loadFraction(fraction.defaultValue);
}

/** Metadata with string values; others as JSON text. */
export function loadMetadata(metadata: Metadata | undefined): StringMetadata {
  const out: Record<string, Record<string, string>> = {};
  for (const [filter, struct] of Object.entries(metadata?.filterMetadata ?? {})) {
    const values: Record<string, string> = {};
    for (const [key, value] of Object.entries(struct))
      values[key] = typeof value === "string" ? value : JSON.stringify(value);
    out[filter] = values;
  }
  return out;
}

/** `filter_metadata["heddle.dev"]`. */
export function loadProvenance(metadata: Metadata | undefined): Provenance | undefined {
  const struct = metadata?.filterMetadata["heddle.dev"];
  if (struct === undefined) return undefined;
  const text = (key: string): string | undefined => {
    const value = struct[key];
    return typeof value === "string" ? value : typeof value === "number" ? String(value) : undefined;
  };
  return {
    kind: text("kind") ?? "",
    namespace: text("namespace") ?? "",
    name: text("name") ?? "",
    rule: text("rule"),
    generation: text("generation"),
  };
}
