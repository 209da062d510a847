import { AddressSchema, type Cluster, create } from "@heddle/xds/api";
import { loadAddress } from "./core-types.ts";
import type { Loading, Path } from "./loading.ts";

/** The addresses of `upstream_bind_config`, at most one of each family. */
export function loadBindAddresses(message: Cluster, at: Path, loading: Loading): string[] {
  const bind = message.upstreamBindConfig;
  if (bind === undefined) return [];
  const where = at.field("upstream_bind_config");
  const extra = where.field("extra_source_addresses");
  const sources = [
    { source: bind.sourceAddress, at: where.field("source_address") },
    ...bind.extraSourceAddresses.map(({ address }, index) => ({
      source: address,
      at: extra.index(index).field("address"),
    })),
  ];
  const hosts = sources.map(({ source, at: place }) => {
    const init = source === undefined ? {} : { address: { case: "socketAddress" as const, value: source } };
    const { host, port } = loadAddress(create(AddressSchema, init), place, loading, "ip-only");
    if (port !== 0) loading.problem(place, "connections at one time cannot have one port", "give port_value 0");
    return host;
  });
  const families = hosts.map((host) => host.includes(":"));
  if (new Set(families).size !== families.length)
    loading.problem(extra, "two addresses are of one family", "give one of each family at most");
  return hosts;
}
