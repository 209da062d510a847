import type { CidrRange } from "../config/address.ts";
import type { FilterChainMatchConfig } from "../config/listener.ts";
import type { ConnectionView } from "./connection.ts";
import { BoundCidr, type IpWords, isLoopback, isSameIp, parseIp } from "./ip-address.ts";

/** Ranges of one level, longest prefix first; `range` undefined stands for every address and is last. */
interface Ranges<N> {
  readonly entries: { readonly range: BoundCidr | undefined; readonly key: string; readonly next: N }[];
}

type PortLevel = Map<number, Ranges<NameLevel>>;
type NameLevel = Map<string, TransportLevel>;
type TransportLevel = Map<string, ProtocolLevel>;
type ProtocolLevel = Map<string, Ranges<TypeLevel>>;
type SourceType = FilterChainMatchConfig["sourceType"];
type TypeLevel = Map<SourceType, Ranges<SourcePortLevel>>;
type SourcePortLevel = Map<number, number>;

/**
 * Envoy's filter chain search: destination port, destination address, server name, transport protocol, application
 * protocols, direct source address, source type, source address, source port, in this order. At every level the most
 * specific entry wins, and there is no way back: when nothing fits below it, the default chain is used.
 */
export class FilterChainIndex<T> {
  readonly #chains: readonly T[];
  readonly #ports: PortLevel;
  /** Pairs of chains that want the same connections, by index. */
  readonly conflicts: readonly (readonly [number, number])[];

  constructor(chains: readonly { readonly match: FilterChainMatchConfig; readonly chain: T }[]) {
    this.#chains = chains.map(({ chain }) => chain);
    this.#ports = new Map();
    const conflicts: [number, number][] = [];
    chains.forEach(({ match }, index) => {
      const earlier = this.#insert(match, index);
      if (earlier !== undefined) conflicts.push([earlier, index]);
    });
    this.conflicts = conflicts;
  }

  #insert(match: FilterChainMatchConfig, chain: number): number | undefined {
    let conflict: number | undefined;
    const addresses = entryOf(this.#ports, match.destinationPort ?? 0, (): Ranges<NameLevel> => ({ entries: [] }));
    for (const names of rangesOf(addresses, match.prefixRanges, (): NameLevel => new Map())) {
      for (const name of orAny(match.serverNames.map((text) => text.toLowerCase()))) {
        const transports = entryOf(names, name, (): TransportLevel => new Map());
        const protocols = entryOf(transports, match.transportProtocol, (): ProtocolLevel => new Map());
        for (const protocol of orAny(match.applicationProtocols)) {
          const direct = entryOf(protocols, protocol, (): Ranges<TypeLevel> => ({ entries: [] }));
          for (const types of rangesOf(direct, match.directSourcePrefixRanges, (): TypeLevel => new Map())) {
            const sources = entryOf(types, match.sourceType, (): Ranges<SourcePortLevel> => ({ entries: [] }));
            for (const ports of rangesOf(sources, match.sourcePrefixRanges, (): SourcePortLevel => new Map())) {
              for (const port of match.sourcePorts.length === 0 ? [0] : match.sourcePorts) {
                const present = ports.get(port);
                if (present === undefined) ports.set(port, chain);
                else if (present !== chain) conflict ??= present;
              }
            }
          }
        }
      }
    }
    return conflict;
  }

  find(connection: ConnectionView): T | undefined {
    const addresses = this.#ports.get(connection.localAddress.port) ?? this.#ports.get(0);
    if (addresses === undefined) return undefined;
    const names = mostSpecific(addresses, parseIp(connection.localAddress.host));
    const transports = names === undefined ? undefined : byServerName(names, connection.sni);
    const protocols = transports?.get(connection.transportProtocol) ?? transports?.get("");
    if (protocols === undefined) return undefined;
    const direct = byProtocol(protocols, connection.applicationProtocols);
    if (direct === undefined) return undefined;
    const remote = parseIp(connection.remoteAddress.host);
    const types = mostSpecific(direct, parseIp(connection.directRemoteAddress.host));
    const sources = types === undefined ? undefined : bySourceType(types, connection, remote);
    const ports = sources === undefined ? undefined : mostSpecific(sources, remote);
    const chain = ports?.get(connection.remoteAddress.port) ?? ports?.get(0);
    return chain === undefined ? undefined : this.#chains[chain];
  }
}

function orAny(values: readonly string[]): readonly string[] {
  return values.length === 0 ? [""] : values;
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

function rangesOf<N>(level: Ranges<N>, ranges: readonly CidrRange[], make: () => N): N[] {
  if (ranges.length === 0) return [rangeEntry(level, undefined, make)];
  return ranges.map((range) => rangeEntry(level, new BoundCidr(range), make));
}

function rangeEntry<N>(level: Ranges<N>, range: BoundCidr | undefined, make: () => N): N {
  const key = range?.key ?? "";
  const present = level.entries.find((entry) => entry.key === key);
  if (present !== undefined) return present.next;
  const next = make();
  level.entries.push({ range, key, next });
  level.entries.sort((a, b) => (b.range?.bits ?? -1) - (a.range?.bits ?? -1));
  return next;
}

function mostSpecific<N>(level: Ranges<N>, ip: IpWords | undefined): N | undefined {
  for (const { range, next } of level.entries) {
    if (range === undefined || (ip !== undefined && range.contains(ip))) return next;
  }
  return undefined;
}

/** Exact, then `*.` wildcards from the longest suffix on, then chains without server names. */
function byServerName(names: NameLevel, sni: string): TransportLevel | undefined {
  if (sni !== "") {
    const exact = names.get(sni);
    if (exact !== undefined) return exact;
    for (let dot = sni.indexOf(".", 1); dot !== -1 && dot < sni.length - 1; dot = sni.indexOf(".", dot + 1)) {
      const wildcard = names.get(`*${sni.slice(dot)}`);
      if (wildcard !== undefined) return wildcard;
    }
  }
  return names.get("");
}

/** The first of the connection's protocols that some chain names, in the connection's order. */
function byProtocol(protocols: ProtocolLevel, offered: readonly string[]): Ranges<TypeLevel> | undefined {
  for (const protocol of offered) {
    const found = protocol === "" ? undefined : protocols.get(protocol);
    if (found !== undefined) return found;
  }
  return protocols.get("");
}

function bySourceType(
  types: TypeLevel,
  connection: ConnectionView,
  remote: IpWords | undefined,
): Ranges<SourcePortLevel> | undefined {
  const local = types.get("same-ip-or-loopback");
  const external = types.get("external");
  if (local !== undefined || external !== undefined) {
    const own = parseIp(connection.localAddress.host);
    const isLocal = remote !== undefined && (isLoopback(remote) || (own !== undefined && isSameIp(own, remote)));
    const found = isLocal ? local : external;
    if (found !== undefined) return found;
  }
  return types.get("any");
}
