import {
  type HttpConnectionManager,
  HttpConnectionManager_CodecType,
  HttpConnectionManager_ForwardClientCertDetails,
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpConnectionManager_ServerHeaderTransformation,
  HttpProtocolOptions_HeadersWithUnderscoresAction,
  type Rds,
} from "@heddle/xds/api";
import type { HttpConnectionManagerConfig } from "../config/http-connection-manager.ts";
import { loadAccessLogs } from "./access-log.ts";
import { loadHeaderKeyFormat } from "./header-key-format.ts";
import { loadHttpFilters } from "./http-filters.ts";
import { loadHttp2Options } from "./http2-options.ts";
import type { Loading, Path } from "./loading.ts";
import { loadRouteTable } from "./route-table.ts";
import { loadHeaderValue } from "./string-match.ts";
import { requireAllTime } from "./tls.ts";
import { loadUpgrades } from "./upgrades.ts";

type Config = HttpConnectionManagerConfig;

const forwardClientCert: Readonly<Record<HttpConnectionManager_ForwardClientCertDetails, Config["forwardClientCert"]>> =
  {
    [HttpConnectionManager_ForwardClientCertDetails.SANITIZE]: "sanitize",
    [HttpConnectionManager_ForwardClientCertDetails.FORWARD_ONLY]: "forward-only",
    [HttpConnectionManager_ForwardClientCertDetails.APPEND_FORWARD]: "append-forward",
    [HttpConnectionManager_ForwardClientCertDetails.SANITIZE_SET]: "sanitize-set",
    [HttpConnectionManager_ForwardClientCertDetails.ALWAYS_FORWARD_ONLY]: "always-forward-only",
  };

const escapedSlashes: Readonly<Record<HttpConnectionManager_PathWithEscapedSlashesAction, Config["escapedSlashes"]>> = {
  [HttpConnectionManager_PathWithEscapedSlashesAction.IMPLEMENTATION_SPECIFIC_DEFAULT]: "keep",
  [HttpConnectionManager_PathWithEscapedSlashesAction.KEEP_UNCHANGED]: "keep",
  [HttpConnectionManager_PathWithEscapedSlashesAction.REJECT_REQUEST]: "reject",
  [HttpConnectionManager_PathWithEscapedSlashesAction.UNESCAPE_AND_REDIRECT]: "unescape-and-redirect",
  [HttpConnectionManager_PathWithEscapedSlashesAction.UNESCAPE_AND_FORWARD]: "unescape-and-forward",
};

const serverHeaders: Readonly<Record<HttpConnectionManager_ServerHeaderTransformation, Config["serverHeader"]>> = {
  [HttpConnectionManager_ServerHeaderTransformation.OVERWRITE]: "overwrite",
  [HttpConnectionManager_ServerHeaderTransformation.APPEND_IF_ABSENT]: "append-if-absent",
  [HttpConnectionManager_ServerHeaderTransformation.PASS_THROUGH]: "pass-through",
};

const underscores: Readonly<Record<HttpProtocolOptions_HeadersWithUnderscoresAction, Config["underscores"]>> = {
  [HttpProtocolOptions_HeadersWithUnderscoresAction.ALLOW]: "allow",
  [HttpProtocolOptions_HeadersWithUnderscoresAction.REJECT_REQUEST]: "reject",
  [HttpProtocolOptions_HeadersWithUnderscoresAction.DROP_HEADER]: "drop",
};

const codecs: Readonly<Partial<Record<HttpConnectionManager_CodecType, Config["codec"]>>> = {
  [HttpConnectionManager_CodecType.AUTO]: "auto",
  [HttpConnectionManager_CodecType.HTTP1]: "http1",
  [HttpConnectionManager_CodecType.HTTP2]: "http2",
};

const minute = 60_000;

/** Envoy's defaults are filled in: they are the numbers below. */
export function loadHttpConnectionManager(
  hcm: HttpConnectionManager,
  at: Path,
  loading: Loading,
): HttpConnectionManagerConfig {
  const common = hcm.commonHttpProtocolOptions;
  const options = at.field("common_http_protocol_options");
  const http1 = hcm.httpProtocolOptions;
  const details = hcm.setCurrentClientCertDetails;
  return {
    statPrefix: loading.required(hcm.statPrefix, at.field("stat_prefix")),
    codec: codecs[hcm.codecType] ?? "auto",
    ...loadRouteSpecifier(hcm, at, loading),
    serverName: hcm.serverName === "" ? "envoy" : loadHeaderValue(hcm.serverName, at.field("server_name"), loading),
    serverHeader: serverHeaders[hcm.serverHeaderTransformation] ?? "overwrite",
    schemeOverwrite: loadSchemeOverwrite(hcm, at, loading),
    schemeMatchesUpstream: hcm.schemeHeaderTransformation?.matchUpstream ?? false,
    useRemoteAddress: hcm.useRemoteAddress ?? false,
    xffTrustedHops: hcm.xffNumTrustedHops,
    skipXffAppend: hcm.skipXffAppend,
    via: loadHeaderValue(hcm.via, at.field("via"), loading),
    internalCidrs: (hcm.internalAddressConfig?.cidrRanges ?? []).map((range, index) =>
      loading.cidr(range, at.field("internal_address_config").field("cidr_ranges").index(index)),
    ),
    generateRequestId: hcm.generateRequestId ?? true,
    preserveExternalRequestId: hcm.preserveExternalRequestId,
    alwaysSetRequestIdInResponse: hcm.alwaysSetRequestIdInResponse,
    forwardClientCert: forwardClientCert[hcm.forwardClientCertDetails] ?? "sanitize",
    setCurrentClientCert: {
      subject: details?.subject ?? false,
      cert: details?.cert ?? false,
      chain: details?.chain ?? false,
      dns: details?.dns ?? false,
      uri: details?.uri ?? false,
    },
    normalizePath: hcm.normalizePath ?? false,
    mergeSlashes: hcm.mergeSlashes,
    escapedSlashes: escapedSlashes[hcm.pathWithEscapedSlashesAction] ?? "keep",
    underscores: underscores[common?.headersWithUnderscoresAction ?? 0] ?? "allow",
    stripPort: loadStripPort(hcm, at, loading),
    stripTrailingHostDot: hcm.stripTrailingHostDot,
    appendXForwardedPort: hcm.appendXForwardedPort,
    maxHeadBytes: 1024 * loading.range(hcm.maxRequestHeadersKb ?? 60, at.field("max_request_headers_kb"), 1, 8192),
    maxHeaders: loading.range(common?.maxHeadersCount ?? 100, options.field("max_headers_count"), 1, 65_535),
    requestTimeoutMs: loading.duration(hcm.requestTimeout, at.field("request_timeout"), 0),
    requestHeadersTimeoutMs: loading.duration(hcm.requestHeadersTimeout, at.field("request_headers_timeout"), 0),
    streamIdleTimeoutMs: loading.duration(hcm.streamIdleTimeout, at.field("stream_idle_timeout"), 5 * minute),
    idleTimeoutMs: loading.duration(common?.idleTimeout, options.field("idle_timeout"), 60 * minute),
    maxRequestsPerConnection: common?.maxRequestsPerConnection ?? 0,
    maxConnectionDurationMs: loading.duration(
      common?.maxConnectionDuration,
      options.field("max_connection_duration"),
      0,
    ),
    maxStreamDurationMs: loading.duration(common?.maxStreamDuration, options.field("max_stream_duration"), 0),
    delayedCloseTimeoutMs: loading.duration(hcm.delayedCloseTimeout, at.field("delayed_close_timeout"), 1000),
    drainTimeoutMs: loading.duration(hcm.drainTimeout, at.field("drain_timeout"), 5000),
    proxy100Continue: hcm.proxy100Continue,
    upgrades: loadUpgrades(hcm.upgradeConfigs, at.field("upgrade_configs"), loading),
    http1: {
      acceptHttp10: http1?.acceptHttp10 ?? false,
      defaultHost: http1?.defaultHostForHttp10 ?? "",
      enableTrailers: http1?.enableTrailers ?? false,
      allowAbsoluteUrl: http1?.allowAbsoluteUrl ?? true,
      headerKeyFormat: loadHeaderKeyFormat(http1, at.field("http_protocol_options"), loading),
    },
    http2: loadHttp2Options(hcm.http2ProtocolOptions, at.field("http2_protocol_options"), loading),
    filters: loadHttpFilters(hcm.httpFilters, at.field("http_filters"), loading),
    accessLogs: loadAccessLogs(hcm.accessLog, at.field("access_log"), loading),
  };
}

function loadRouteSpecifier(
  hcm: HttpConnectionManager,
  at: Path,
  loading: Loading,
): Pick<Config, "routeTable" | "routeTableName"> {
  const specifier = hcm.routeSpecifier;
  switch (specifier.case) {
    case "routeConfig":
      return {
        routeTable: loadRouteTable(specifier.value, at.field("route_config"), loading, "inline"),
        routeTableName: undefined,
      };
    case "rds":
      return { routeTable: undefined, routeTableName: loadRds(specifier.value, at.field("rds"), loading) };
    default:
      if (specifier.case === undefined) loading.problem(at, "there are no routes", "give route_config or rds");
      return { routeTable: undefined, routeTableName: "" };
  }
}

function loadRds(rds: Rds, at: Path, loading: Loading): string {
  const source = rds.configSource;
  if (source?.configSourceSpecifier.case !== "ads") {
    loading.problem(at.field("config_source"), "routes come from ADS", "use `ads: {}`");
  } else {
    requireAllTime(source, at.field("config_source"), loading);
  }
  return loading.required(rds.routeConfigName, at.field("route_config_name"));
}

function loadSchemeOverwrite(hcm: HttpConnectionManager, at: Path, loading: Loading): Config["schemeOverwrite"] {
  const scheme = hcm.schemeHeaderTransformation?.transformation.value?.toLowerCase() ?? "";
  if (scheme === "" || scheme === "http" || scheme === "https") return scheme;
  const where = at.field("scheme_header_transformation").field("scheme_to_overwrite");
  loading.problem(where, `"${scheme}" is not supported`, "use http or https");
  return "";
}

function loadStripPort(hcm: HttpConnectionManager, at: Path, loading: Loading): Config["stripPort"] {
  const isAny = hcm.stripPortMode.case === "stripAnyHostPort" && hcm.stripPortMode.value;
  if (isAny && hcm.stripMatchingHostPort) {
    loading.problem(at.field("strip_matching_host_port"), "strip_any_host_port is set, too", "keep one of them");
  }
  if (isAny) return "any";
  return hcm.stripMatchingHostPort ? "matching" : "none";
}
