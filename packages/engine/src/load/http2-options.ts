import type { Http2ProtocolOptions, KeepaliveSettings } from "@heddle/xds/api";
import type { Http2Config } from "../config/cluster.ts";
import type { Loading, Path } from "./loading.ts";

/**
 * Limits that hold where the configuration names none: those of the edge (`reference/hardening.md` section 2), on both sides, since Envoy's own
 * defaults (2^31-1 streams, windows of 256 MiB) are what its best practices warn of.
 */
const defaultHttp2Config: Http2Config = {
  maxConcurrentStreams: 100,
  streamWindowBytes: 65_536,
  connectionWindowBytes: 1_048_576,
  headerTableBytes: 4096,
  allowConnect: false,
  keepAlive: { intervalMs: 0, timeoutMs: 0, jitterPercent: 15 },
};
const smallestWindow = 65_535;
const largestWindow = 2_147_483_647;

export function loadHttp2Options(options: Http2ProtocolOptions | undefined, at: Path, loading: Loading): Http2Config {
  const defaults = defaultHttp2Config;
  if (options === undefined) return defaults;
  const range = (value: number | undefined, fallback: number, name: string, min: number, max: number): number =>
    loading.range(value ?? fallback, at.field(name), min, max);
  return {
    maxConcurrentStreams: range(
      options.maxConcurrentStreams,
      defaults.maxConcurrentStreams,
      "max_concurrent_streams",
      1,
      largestWindow,
    ),
    streamWindowBytes: range(
      options.initialStreamWindowSize,
      defaults.streamWindowBytes,
      "initial_stream_window_size",
      smallestWindow,
      largestWindow,
    ),
    connectionWindowBytes: range(
      options.initialConnectionWindowSize,
      defaults.connectionWindowBytes,
      "initial_connection_window_size",
      smallestWindow,
      largestWindow,
    ),
    headerTableBytes: range(options.hpackTableSize, defaults.headerTableBytes, "hpack_table_size", 0, 1024 * 1024),
    allowConnect: options.allowConnect,
    keepAlive: loadKeepAlive(options.connectionKeepalive, at.field("connection_keepalive"), loading),
  };
}

/** Envoy's default jitter, 15 %, is filled in. */
function loadKeepAlive(settings: KeepaliveSettings | undefined, at: Path, loading: Loading): Http2Config["keepAlive"] {
  if (settings === undefined) return defaultHttp2Config.keepAlive;
  const positive = (value: KeepaliveSettings["interval"], name: string): number => {
    const ms = loading.duration(value, at.field(name), 0);
    if (ms <= 0) loading.problem(at.field(name), "it is not there", "give a time above 0");
    return ms;
  };
  const jitter = settings.intervalJitter?.value ?? defaultHttp2Config.keepAlive.jitterPercent;
  return {
    intervalMs: positive(settings.interval, "interval"),
    timeoutMs: positive(settings.timeout, "timeout"),
    jitterPercent: loading.range(jitter, at.field("interval_jitter").field("value"), 0, 100),
  };
}
