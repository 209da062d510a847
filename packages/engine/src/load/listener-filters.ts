import {
  type Listener,
  type ListenerFilterChainMatchPredicate,
  type ProxyProtocol,
  ProxyProtocolConfig_Version,
  type ProxyProtocolPassThroughTLVs,
  ProxyProtocolPassThroughTLVs_PassTLVsMatchType,
} from "@heddle/xds/api";
import type {
  ListenerFilterConfig,
  ListenerFilterPredicate,
  PassedTlvs,
  ProxyProtocolFilterConfig,
} from "../config/listener-filter.ts";
import type { Loading, Path } from "./loading.ts";

const plainKinds: Readonly<Record<string, "tls_inspector" | "http_inspector" | "original_dst">> = {
  "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector": "tls_inspector",
  "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector": "http_inspector",
  "envoy.extensions.filters.listener.original_dst.v3.OriginalDst": "original_dst",
};
const proxyProtocol = "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol";

/** As in Envoy, `use_original_dst` brings its filter along and puts it last. */
export function loadListenerFilters(message: Listener, at: Path, loading: Loading): ListenerFilterConfig[] {
  const filters: ListenerFilterConfig[] = [];
  message.listenerFilters.forEach((filter, index) => {
    const where = at.index(index).field("typed_config");
    const config = loading.unpack(
      filter.configType.case === "typedConfig" ? filter.configType.value : undefined,
      where,
    );
    if (config === undefined) return;
    const disabledFor =
      filter.filterDisabled === undefined
        ? undefined
        : loadPredicate(filter.filterDisabled, at.index(index).field("filter_disabled"), loading);
    const kind = plainKinds[config.$typeName];
    if (kind !== undefined) filters.push({ kind, disabledFor });
    else if (config.$typeName === proxyProtocol)
      filters.push({ ...loadProxyProtocol(config as ProxyProtocol, where, loading), disabledFor });
    else loading.misplaced(config, where, "a listener filter");
  });
  if (message.useOriginalDst === true && !filters.some(({ kind }) => kind === "original_dst"))
    filters.push({ kind: "original_dst", disabledFor: undefined });
  return filters;
}

function loadProxyProtocol(
  message: ProxyProtocol,
  at: Path,
  loading: Loading,
): Omit<ProxyProtocolFilterConfig, "disabledFor"> {
  return {
    kind: "proxy_protocol",
    allowsNone: message.allowRequestsWithoutProxyProtocol,
    disallowed: message.disallowedVersions.map((version) => (version === ProxyProtocolConfig_Version.V1 ? 1 : 2)),
    statPrefix: message.statPrefix,
    passedTlvs: loadPassedTlvs(message.passThroughTlvs, at.field("pass_through_tlvs"), loading),
  };
}

/** Without the message none are passed. */
export function loadPassedTlvs(
  message: ProxyProtocolPassThroughTLVs | undefined,
  at: Path,
  loading: Loading,
): PassedTlvs {
  if (message === undefined) return [];
  if (message.matchType === ProxyProtocolPassThroughTLVs_PassTLVsMatchType.INCLUDE_ALL) return "all";
  return message.tlvType.map((type, index) => loading.range(type, at.field("tlv_type").index(index), 0, 255));
}

function loadPredicate(
  predicate: ListenerFilterChainMatchPredicate,
  at: Path,
  loading: Loading,
): ListenerFilterPredicate {
  const { rule } = predicate;
  switch (rule.case) {
    case "anyMatch":
      return { kind: "any" };
    case "notMatch":
      return { kind: "not", of: loadPredicate(rule.value, at.field("not_match"), loading) };
    case "andMatch":
    case "orMatch": {
      const kind = rule.case === "andMatch" ? "and" : "or";
      const rules = at.field(`${kind}_match`).field("rules");
      if (rule.value.rules.length < 2) loading.problem(rules, "it has fewer than two rules", "give two, or none");
      return { kind, of: rule.value.rules.map((each, index) => loadPredicate(each, rules.index(index), loading)) };
    }
    case "destinationPortRange": {
      const range = at.field("destination_port_range");
      const start = loading.range(rule.value.start, range.field("start"), 0, 65_535);
      return { kind: "port", start, end: loading.range(rule.value.end, range.field("end"), start, 65_536) };
    }
    case undefined:
      loading.problem(
        at,
        "there is no rule",
        "give any_match, not_match, and_match, or_match or destination_port_range",
      );
      return { kind: "any" };
  }
}
