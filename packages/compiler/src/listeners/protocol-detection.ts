import {
  type FilterChainMatchSchema,
  HttpInspectorSchema,
  type ListenerFilterChainMatchPredicateSchema,
  type MessageInitShape,
  TlsInspectorSchema,
} from "@heddle/xds/api";
import { duration, extension } from "../wire.ts";

/**
 * How long a client may be silent on a port of which nobody said what it carries. Then the server may have to speak first: the connection is opaque, and
 * policy for TCP holds (design §5), so that nobody waits his way around a rule for HTTP.
 */
const detectionTimeoutMs = 100;

const tlsInspector = extension("envoy.filters.listener.tls_inspector", TlsInspectorSchema, {});
export const httpInspector = extension("envoy.filters.listener.http_inspector", HttpInspectorSchema, {});

/** What the HTTP inspector calls HTTP/1. HTTP/2 without TLS is relayed as it is, since an application that is asked by HTTP/1.1 may not speak it. */
export const plaintextHttp = {
  // Said, so that Envoy adds no TLS inspector.
  transportProtocol: "raw_buffer",
  applicationProtocols: ["http/1.0", "http/1.1"],
};

/** What becomes of who keeps a port waiting of which nobody said what it carries. */
export const detectionTimes = {
  listenerFiltersTimeout: duration(detectionTimeoutMs),
  continueOnListenerFiltersTimeout: true,
};

type ChainMatch = Pick<
  MessageInitShape<typeof FilterChainMatchSchema>,
  "destinationPort" | "transportProtocol" | "applicationProtocols"
>;
type Predicate = Omit<MessageInitShape<typeof ListenerFilterChainMatchPredicateSchema>, "$typeName">;

/**
 * The listener filters that look at the first bytes: each only on the ports that have a chain for what it finds (Istio's `filter_disabled`), so that no
 * connection waits, and none is told apart, for the sake of another port.
 *
 * @param matches of all chains; those without a port are for the ports that no other one names
 */
export function inspectors(matches: readonly ChainMatch[]) {
  return [
    ...inspector(tlsInspector, matches, ({ transportProtocol }) => transportProtocol === "tls"),
    // Behind TLS application protocols are ALPN.
    ...inspector(
      httpInspector,
      matches,
      ({ transportProtocol, applicationProtocols = [] }) =>
        transportProtocol === plaintextHttp.transportProtocol && applicationProtocols.length > 0,
    ),
  ];
}

function inspector(
  filter: typeof tlsInspector,
  matches: readonly ChainMatch[],
  asks: (match: ChainMatch) => boolean,
): (typeof tlsInspector & { filterDisabled?: Predicate })[] {
  const asking = portsOf(matches.filter(asks));
  if (asking.size === 0) return [];
  const named = [...portsOf(matches)].filter((port) => port !== undefined);
  if (asking.has(undefined)) {
    const others = named.filter((port) => !asking.has(port)).map(portPredicate);
    return [others.length === 0 ? filter : { ...filter, filterDisabled: anyOf(others) }];
  }
  const own = named.filter((port) => asking.has(port)).map(portPredicate);
  return [{ ...filter, filterDisabled: { rule: { case: "notMatch", value: anyOf(own) } } }];
}

function portsOf(matches: readonly ChainMatch[]): Set<number | undefined> {
  return new Set(matches.map(({ destinationPort }) => destinationPort));
}

function portPredicate(port: number): Predicate {
  return { rule: { case: "destinationPortRange", value: { start: port, end: port + 1 } } };
}

/** Envoy takes `or_match` of two and more. */
function anyOf(predicates: readonly Predicate[]): Predicate {
  const [first, ...others] = predicates;
  return first !== undefined && others.length === 0
    ? first
    : { rule: { case: "orMatch", value: { rules: [...predicates] } } };
}
