import {
  HttpConnectionManager_CodecType,
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpConnectionManagerSchema,
  type MessageInitShape,
  RouterSchema,
} from "@heddle/xds/api";
import { compileAccessLog } from "../access-log/compile.ts";
import { adsSource } from "../config-source.ts";
import { duration, extension } from "../wire.ts";

export type HttpConnectionManagerInit = Omit<MessageInitShape<typeof HttpConnectionManagerSchema>, "$typeName">;
type HttpFilters = NonNullable<HttpConnectionManagerInit["httpFilters"]>;

const router = extension("envoy.filters.http.router", RouterSchema, {});

/** An idle client connection is closed after this long, as by Envoy's default. */
const idleTimeoutMs = 3_600_000;

/**
 * The HTTP terminal of a filter chain: what is the same for every listener of the mesh.
 *
 * @param filters in order; the router is put behind them
 * @param settings what is particular to the listener
 */
export function httpTerminal(statPrefix: string, filters: HttpFilters, settings: HttpConnectionManagerInit) {
  return extension("envoy.filters.network.http_connection_manager", HttpConnectionManagerSchema, {
    codecType: HttpConnectionManager_CodecType.AUTO,
    statPrefix,
    // Kiali, dashboards and people look for this name.
    serverName: "istio-envoy",
    // The BASE level of istio.md 4.1.13: policies and routes see paths without dot segments, slashes as they came.
    normalizePath: true,
    mergeSlashes: false,
    pathWithEscapedSlashesAction: HttpConnectionManager_PathWithEscapedSlashesAction.KEEP_UNCHANGED,
    generateRequestId: true,
    useRemoteAddress: false,
    commonHttpProtocolOptions: { idleTimeout: duration(idleTimeoutMs) },
    // A request may take as long as it takes (istio.md 4.4, default timeout); Envoy's own default would end it after five minutes.
    streamIdleTimeout: duration(0),
    accessLog: compileAccessLog(),
    // As Istio does everywhere; over HTTP/2 it is extended CONNECT.
    upgradeConfigs: [{ upgradeType: "websocket" }],
    http2ProtocolOptions: { allowConnect: true },
    ...settings,
    httpFilters: [...filters, router],
  });
}

/** A table that travels on its own, so that a change of routes leaves the listener and its connections alone. */
export function routesByName(routeConfigName: string) {
  return { case: "rds" as const, value: { configSource: adsSource(), routeConfigName } };
}
