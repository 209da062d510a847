import { parseLogLevel } from "@heddle/core";
import {
  envoyStats,
  formatEnvoyStats,
  formatEnvoyStatsJson,
  formatPrometheus,
  prometheusContentType,
  readTapConfig,
} from "@heddle/telemetry";
import { maxProfileSeconds, type Profile } from "../generation/profiles.ts";
import { maxTaps } from "../tap/taps.ts";
import { queryConfig } from "./config-query.ts";
import type { AdminReply, AdminRoute } from "./server.ts";
import type { ClusterView } from "../worker/cluster-views.ts";
import type { AdminSource, CertificateView, ListenerView } from "./source.ts";

/** Everything that the admin port can do, in the order in which `/help` lists it. Paths and answers are Envoy's. */
export function adminRoutes(source: AdminSource): AdminRoute[] {
  return [
    {
      path: "/ready",
      method: "GET",
      help: "200 LIVE when the proxy serves, else 503 and its state",
      handle: () => ready(source),
    },
    {
      path: "/server_info",
      method: "GET",
      help: "version, state and command line",
      handle: () => json(source.serverInfo()),
    },
    {
      path: "/stats",
      method: "GET",
      help: "counters and gauges; ?filter=<regex>, ?usedonly, ?format=json|prometheus",
      parameters: ["filter", "usedonly", "format"],
      handle: (query) => stats(source, query),
    },
    {
      path: "/stats/prometheus",
      method: "GET",
      help: "all metrics for Prometheus; ?filter=<regex> of their names, ?usedonly",
      parameters: ["filter", "usedonly"],
      handle: (query) => prometheus(source, query),
    },
    {
      path: "/config_dump",
      method: "GET",
      help: "configuration in force; ?include_eds, ?resource=<list>, ?mask=<fields>, ?name_regex=<regex>",
      parameters: ["include_eds", "resource", "mask", "name_regex"],
      handle: (query) => configuration(source, query),
    },
    {
      path: "/clusters",
      method: "GET",
      help: "clusters and their endpoints; ?format=json",
      parameters: ["format"],
      handle: (query) => clusters(source, query),
    },
    {
      path: "/listeners",
      method: "GET",
      help: "listeners and their addresses; ?format=json",
      parameters: ["format"],
      handle: (query) => listeners(source, query),
    },
    { path: "/memory", method: "GET", help: "memory in use, by thread", handle: () => json(source.memory()) },
    { path: "/runtime", method: "GET", help: "layers and values of the runtime", handle: () => runtime(source) },
    {
      path: "/cpu_profile",
      method: "POST",
      help: `profile a thread (?thread=main|<worker>) for ?seconds=<1 to ${maxProfileSeconds}>, default 10`,
      parameters: ["thread", "seconds"],
      handle: (query) => cpuProfile(source, query),
    },
    {
      path: "/heap_snapshot",
      method: "POST",
      help: "heap of a thread (?thread=main|<worker>), which stands still meanwhile; holds keys and requests",
      parameters: ["thread"],
      handle: async (query) => profile(await source.heapSnapshot(query.get("thread") ?? defaultThread), "heapsnapshot"),
    },
    {
      path: "/tap",
      method: "POST",
      help: "requests as they happen, a line of JSON an event; the body says which (JSON; none: all)",
      maxBodyBytes: maxTapBodyBytes,
      handle: (_query, body) => tap(source, body),
    },
    { path: "/certs", method: "GET", help: "certificates and their validity", handle: () => certificates(source) },
    { path: "/certs/renew", method: "POST", help: "get a new certificate now", handle: () => renew(source) },
    {
      path: "/logging",
      method: "POST",
      help: "show or change (?level=<level>) the log level",
      parameters: ["level"],
      handle: (query) => logging(source, query),
    },
    {
      path: "/drain_listeners",
      method: "POST",
      help: "stop accepting; open requests are finished",
      handle: () => act(() => source.drainListeners()),
    },
    { path: "/quitquitquit", method: "POST", help: "drain and exit", handle: () => act(() => source.quit()) },
  ];
}

/** Traffic is the workers'; the first is there always. */
const defaultThread = "0";

async function cpuProfile(source: AdminSource, query: URLSearchParams): Promise<AdminReply> {
  const text = query.get("seconds") ?? "10";
  const seconds = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  if (seconds < 1 || seconds > maxProfileSeconds)
    return { status: 400, body: `seconds is a whole number from 1 to ${maxProfileSeconds}\n` };
  return profile(await source.cpuProfile(query.get("thread") ?? defaultThread, seconds), "cpuprofile");
}

/** What a tap is to show; sixteen headers with long values fit. */
export const maxTapBodyBytes = 65_536;

async function tap(source: AdminSource, body: string): Promise<AdminReply> {
  const { config, problems } = readTapConfig(body);
  if (config === undefined) return { status: 400, body: problems.map((problem) => `${problem}\n`).join("") };
  const lines = await source.tap(config);
  if (lines === undefined) return { status: 429, body: `${maxTaps} taps are open, which is the most: close one\n` };
  return { status: 200, body: lines, contentType: "application/x-ndjson" };
}

/** With the file name by which Chrome's developer tools know it. */
function profile(taken: Profile, extension: string): AdminReply {
  if (taken.content === undefined) return { status: taken.status, body: `${taken.problem}\n` };
  const disposition = `attachment; filename="heddle.${extension}"`;
  return { status: 200, body: taken.content, contentType: "application/json", disposition };
}

function configuration(source: AdminSource, query: URLSearchParams): AdminReply {
  const found = queryConfig(source.configDump(query.has("include_eds")), {
    resource: query.get("resource"),
    mask: query.get("mask"),
    nameRegex: query.get("name_regex"),
  });
  if (found.configs === undefined) return { status: found.status, body: `${found.problem}\n` };
  return json({ configs: found.configs });
}

/** Envoy's form of `/runtime`. */
function runtime(source: AdminSource): AdminReply {
  const layers = source.runtime();
  const keys = [...new Set(layers.flatMap(({ values }) => Object.keys(values)))].sort();
  const entries = keys.map((key) => {
    const values = layers.map(({ values: own }) => (own[key] === undefined ? "" : String(own[key])));
    return [key, { layer_values: values, final_value: values.findLast((value) => value !== "") ?? "" }];
  });
  return json({ layers: layers.map(({ name }) => name), entries: Object.fromEntries(entries) });
}

function ready(source: AdminSource): AdminReply {
  const state = source.state();
  return { status: state === "LIVE" ? 200 : 503, body: `${state}\n` };
}

function stats(source: AdminSource, query: URLSearchParams): AdminReply {
  const format = query.get("format");
  if (format === "prometheus") return prometheus(source, query);
  const isWanted = nameFilter(query);
  if (typeof isWanted === "string") return { status: 400, body: isWanted };
  let wanted = envoyStats(source.metrics.read()).filter(({ name }) => isWanted(name));
  if (query.has("usedonly")) wanted = wanted.filter((stat) => stat.value !== 0);
  if (format === "json") return { status: 200, body: formatEnvoyStatsJson(wanted), contentType: "application/json" };
  return { status: 200, body: formatEnvoyStats(wanted) };
}

function prometheus(source: AdminSource, query: URLSearchParams): AdminReply {
  const isWanted = nameFilter(query);
  if (typeof isWanted === "string") return { status: 400, body: isWanted };
  const isUsedOnly = query.has("usedonly");
  const families = source.metrics
    .read()
    .map((members) =>
      members.filter(({ family, cells }) => isWanted(family.name) && (!isUsedOnly || cells.some((cell) => cell !== 0))),
    );
  return { status: 200, body: formatPrometheus(families), contentType: prometheusContentType };
}

/** `?filter=<regex>`, or what is wrong with it. */
function nameFilter(query: URLSearchParams): ((name: string) => boolean) | string {
  const filter = query.get("filter");
  if (filter === null) return () => true;
  try {
    const pattern = new RegExp(filter, "u");
    return (name) => pattern.test(name);
  } catch (error) {
    return `Invalid regex: ${(error as Error).message}\n`;
  }
}

async function clusters(source: AdminSource, query: URLSearchParams): Promise<AdminReply> {
  const views = await source.clusters();
  if (query.get("format") === "json") return json({ cluster_statuses: views.map(clusterStatus) });
  return { status: 200, body: views.map(clusterText).join("") };
}

/** `envoy.admin.v3.ClusterStatus`. */
function clusterStatus(view: ClusterView): object {
  return {
    name: view.name,
    added_via_api: view.addedViaApi,
    circuit_breakers: { thresholds: [view.limits] },
    host_statuses: view.endpoints.map((endpoint) => ({
      address: { socket_address: splitAddress(endpoint.address) },
      stats: Object.entries(endpoint.stats).map(([name, value]) => ({ name, value: String(value) })),
      health_status: healthStatus(endpoint),
      weight: endpoint.weight,
      hostname: endpoint.hostname,
      priority: endpoint.priority,
      locality: { region: endpoint.region, zone: endpoint.zone, sub_zone: endpoint.subZone },
    })),
  };
}

/** `envoy.admin.v3.HostHealthStatus`, whose flags are fields that are left out when false. */
function healthStatus({ health, healthFlags }: ClusterView["endpoints"][number]): object {
  const shown = healthFlags.filter((flag) => !flag.includes("eds_"));
  return { eds_health_status: health.toUpperCase(), ...Object.fromEntries(shown.map((flag) => [flag, true])) };
}

/** Envoy's text form: `cluster::address::key::value`, a line each. */
function clusterText(view: ClusterView): string {
  const lines = Object.entries(view.limits).map(([key, value]) => `${view.name}::default_priority::${key}::${value}`);
  lines.push(`${view.name}::added_via_api::${view.addedViaApi}`);
  for (const endpoint of view.endpoints) {
    const prefix = `${view.name}::${endpoint.address}`;
    for (const [key, value] of Object.entries(endpoint.stats)) lines.push(`${prefix}::${key}::${value}`);
    lines.push(
      `${prefix}::hostname::${endpoint.hostname}`,
      `${prefix}::health_flags::${endpoint.healthFlags.map((flag) => `/${flag}`).join("") || "healthy"}`,
      `${prefix}::weight::${endpoint.weight}`,
      `${prefix}::region::${endpoint.region}`,
      `${prefix}::zone::${endpoint.zone}`,
      `${prefix}::sub_zone::${endpoint.subZone}`,
      `${prefix}::priority::${endpoint.priority}`,
    );
  }
  return lines.map((line) => `${line}\n`).join("");
}

function listeners(source: AdminSource, query: URLSearchParams): AdminReply {
  const views = source.listeners();
  if (query.get("format") === "json")
    return json({ listener_statuses: views.map((view) => listenerStatus(source, view)) });
  const lines = views.flatMap((view) =>
    view.addresses.map(({ host, port }) => `${view.name}::${formatHost(host)}:${port}\n`),
  );
  return { status: 200, body: lines.join("") };
}

/** `envoy.admin.v3.ListenerStatus`, and what is going on there now. */
function listenerStatus({ metrics }: AdminSource, view: ListenerView): object {
  const count = (stat: string): number =>
    metrics.total(`envoy_listener_downstream_${stat}`, { envoy_listener_address: view.statName });
  const addresses = view.addresses.map(({ host, port }) => ({ socket_address: { address: host, port_value: port } }));
  return {
    name: view.name,
    local_address: addresses[0],
    additional_local_addresses: addresses.slice(1),
    connections: {
      active: count("cx_active"),
      in_listener_filters: count("pre_cx_active"),
      total: count("cx_total"),
      refused: count("cx_overflow") + count("global_cx_overflow") + count("cx_overload_reject"),
    },
  };
}

function certificates(source: AdminSource): AdminReply {
  const chains = source
    .certificates()
    .map(({ ca, chain }) => ({ ca_cert: ca.map(certificate), cert_chain: chain.map(certificate) }));
  return json({ certificates: chains });
}

/** `envoy.admin.v3.CertificateDetails`. */
function certificate(view: CertificateView): object {
  return {
    path: view.path,
    serial_number: view.serialNumber,
    subject_alt_names: view.subjectAltNames.map((name) => (name.includes("://") ? { uri: name } : { dns: name })),
    days_until_expiration: String(Math.max(0, Math.floor((view.expirationMs - Date.now()) / 86_400_000))),
    valid_from: new Date(view.validFromMs).toISOString(),
    expiration_time: new Date(view.expirationMs).toISOString(),
  };
}

async function renew(source: AdminSource): Promise<AdminReply> {
  const result = await source.renewCertificate();
  return result.ok ? { status: 200, body: "OK\n" } : { status: 503, body: `${result.reason}\n` };
}

function logging(source: AdminSource, query: URLSearchParams): AdminReply {
  const text = query.get("level");
  if (text !== null) {
    const level = parseLogLevel(text);
    if (level === undefined)
      return { status: 400, body: `unknown level "${text}": debug, info, warning, error or off\n` };
    source.setLogLevel(level);
  }
  return { status: 200, body: `active loggers:\n  heddle: ${source.logLevel()}\n` };
}

function act(action: () => void): AdminReply {
  action();
  return { status: 200, body: "OK\n" };
}

function json(value: unknown): AdminReply {
  return { status: 200, body: `${JSON.stringify(value, null, 1)}\n`, contentType: "application/json" };
}

function splitAddress(address: string): object {
  const colon = address.lastIndexOf(":");
  return { address: address.slice(0, colon).replace(/^\[|\]$/g, ""), port_value: Number(address.slice(colon + 1)) };
}

function formatHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
