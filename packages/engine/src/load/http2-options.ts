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
  maxOutboundFrames: 10_000,
  maxOutboundControlFrames: 1000,
  maxConsecutiveEmptyFrames: 1,
  maxPriorityFramesPerStream: 100,
  maxWindowUpdatesPerDataFrame: 10,
  keepAlive: { intervalMs: 0, timeoutMs: 0, jitterPercent: 15 },
};
const smallestWindow = 65_535;
const largestWindow = 2_147_483_647;
const largestCount = 4_294_967_295;

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
    maxOutboundFrames: range(
      options.maxOutboundFrames,
      defaults.maxOutboundFrames,
      "max_outbound_frames",
      1,
      largestCount,
    ),
    maxOutboundControlFrames: range(
      options.maxOutboundControlFrames,
      defaults.maxOutboundControlFrames,
      "max_outbound_control_frames",
      1,
      largestCount,
    ),
    maxConsecutiveEmptyFrames: range(
      options.maxConsecutiveInboundFramesWithEmptyPayload,
      defaults.maxConsecutiveEmptyFrames,
      "max_consecutive_inbound_frames_with_empty_payload",
      0,
      largestCount,
    ),
    maxPriorityFramesPerStream: range(
      options.maxInboundPriorityFramesPerStream,
      defaults.maxPriorityFramesPerStream,
      "max_inbound_priority_frames_per_stream",
      0,
      largestCount,
    ),
    maxWindowUpdatesPerDataFrame: range(
      options.maxInboundWindowUpdateFramesPerDataFrameSent,
      defaults.maxWindowUpdatesPerDataFrame,
      "max_inbound_window_update_frames_per_data_frame_sent",
      1,
      largestCount,
    ),
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
