/** Actions of Envoy's overload manager that are carried out here, in the order of their cells in shared memory. */
export const overloadActions = [
  "envoy.overload_actions.stop_accepting_requests",
  "envoy.overload_actions.disable_http_keepalive",
  "envoy.overload_actions.stop_accepting_connections",
  "envoy.overload_actions.reject_incoming_connections",
  "envoy.overload_actions.shrink_heap",
  "envoy.overload_actions.reduce_timeouts",
  "envoy.overload_actions.reset_high_memory_stream",
] as const;
export type OverloadAction = (typeof overloadActions)[number];

/** Envoy's load shed points that are looked at here, in the order in which a connection and its requests come by them. */
export const loadShedPoints = [
  /** A connection is accepted: closed before anything is read. */
  "envoy.load_shed_points.tcp_listener_accept",
  /** The first bytes of a connection that ends in HTTP: closed before they are read. */
  "envoy.load_shed_points.hcm_ondata_creating_codec",
  /** Bytes of an HTTP/1.1 client: its request is answered with 500 where it still can be, and its connection closed. */
  "envoy.load_shed_points.http1_server_abort_dispatch",
  /** Bytes of an HTTP/2 client: GOAWAY, and the connection is closed. */
  "envoy.load_shed_points.http2_server_go_away_and_close_on_dispatch",
  /** Bytes of an HTTP/2 client: GOAWAY; what has begun goes on. */
  "envoy.load_shed_points.http2_server_go_away_on_dispatch",
  /** The head of a request: answered with 503. */
  "envoy.load_shed_points.http_connection_manager_decode_headers",
  /** A request on its way to an upstream, whose route is known: answered with 503. */
  "envoy.load_shed_points.http_downstream_filter_check",
  /** A connection to an upstream that a request or a client's bytes would need: not made, and they fail as by a limit of the cluster. */
  "envoy.load_shed_points.connection_pool_new_connection",
] as const;
export type LoadShedPoint = (typeof loadShedPoints)[number];

/** Timers that `reduce_timeouts` shortens, by Envoy's names, in the order of their cells in shared memory. */
export const scaledTimers = [
  /** Between requests: `idle_timeout` of a connection. */
  "HTTP_DOWNSTREAM_CONNECTION_IDLE",
  /** Nothing moves in either direction: `stream_idle_timeout`, the route's `idle_timeout`. */
  "HTTP_DOWNSTREAM_STREAM_IDLE",
  /** From accept to the end of the TLS handshake: `transport_socket_connect_timeout`. */
  "TRANSPORT_SOCKET_CONNECT",
  /** `max_connection_duration`. */
  "HTTP_DOWNSTREAM_CONNECTION_MAX",
] as const;
export type ScaledTimer = (typeof scaledTimers)[number];

/** What a timer keeps when `reduce_timeouts` is fully active: so many milliseconds, and this share of its time. */
export interface TimerMinimum {
  readonly timer: ScaledTimer;
  readonly minMs: number;
  readonly minShare: number;
  /** Of its own: they say how much it is reduced, and those of the action do not. Empty: the action's do. */
  readonly triggers: readonly Trigger[];
}

/** What is watched; its pressure is a share, 1 when it is used up. */
export type ResourceMonitor =
  /** Bytes of all heaps and beside them, as a share of `maxBytes`. */
  | { readonly kind: "fixed-heap"; readonly name: string; readonly maxBytes: number }
  /** The fullest of the heaps, each beside its own limit, and of the process' memory beside what it may have. */
  | { readonly kind: "memory"; readonly name: string }
  /** Client connections of all listeners, which are also never more than that. */
  | { readonly kind: "connections"; readonly name: string; readonly max: number };

export type Trigger =
  /** Fully active from here on. */
  | { readonly monitor: string; readonly kind: "threshold"; readonly value: number }
  /** Begins at the first and is fully active at the second. */
  | { readonly monitor: string; readonly kind: "scaled"; readonly scaling: number; readonly saturation: number };

export interface OverloadConfig {
  readonly refreshMs: number;
  readonly monitors: readonly ResourceMonitor[];
  /** An action is as active as its most active trigger. */
  readonly actions: readonly { readonly action: OverloadAction; readonly triggers: readonly Trigger[] }[];
  /** A point sheds the share that its most active trigger says. */
  readonly loadShedPoints: readonly { readonly point: LoadShedPoint; readonly triggers: readonly Trigger[] }[];
  /** Of `reduce_timeouts`; a timer that is not named keeps its time. */
  readonly timerMinimums: readonly TimerMinimum[];
  /** Of `shrink_heap`: garbage is collected so often at most. */
  readonly shrinkIntervalMs: number;
  /** Of `reset_high_memory_stream`: streams that hold less than this power of two of bytes are never reset; undefined: none is. */
  readonly minTrackedPower: number | undefined;
}

/** Client connections of all listeners when nobody says otherwise (Envoy, "Configuring Envoy as an edge proxy"). */
export const defaultMaxConnections = 50_000;
/** Client connections of one listener (same place). */
export const defaultMaxListenerConnections = 10_000;

/** Envoy's `timer_interval` of `shrink_heap`: a collection costs more the fuller the heap is. */
export const defaultShrinkIntervalMs = 10_000;

const memory = "memory";

/**
 * Without an `overload_manager`. The steps are those that Envoy advises for an edge, which by default has none: so a proxy that nobody
 * configured sheds load before its memory is full.
 */
export const defaultOverload: OverloadConfig = {
  refreshMs: 250,
  monitors: [
    { kind: "memory", name: memory },
    {
      kind: "connections",
      name: "envoy.resource_monitors.global_downstream_max_connections",
      max: defaultMaxConnections,
    },
  ],
  actions: [
    action("envoy.overload_actions.shrink_heap", 0.95),
    action("envoy.overload_actions.disable_http_keepalive", 0.95),
    action("envoy.overload_actions.stop_accepting_requests", 0.98),
  ],
  loadShedPoints: [],
  timerMinimums: [],
  shrinkIntervalMs: defaultShrinkIntervalMs,
  minTrackedPower: undefined,
};

function action(name: OverloadAction, value: number): OverloadConfig["actions"][number] {
  return { action: name, triggers: [{ monitor: memory, kind: "threshold", value }] };
}
