import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import type { Message } from "@bufbuild/protobuf";
import type { AccessLogConfig, FilterChainConfig, ListenerConfig } from "@heddle/engine";
import {
  loadCluster,
  loadEndpoints,
  loadListener,
  loadRouteConfiguration,
  loadSecret,
  type Loaded,
  type LoadOptions,
  type LoadProblem,
  type RequiredCluster,
} from "@heddle/engine/load";
import { originalDestinationProblem } from "@heddle/net";
import {
  CLUSTER_TYPE,
  type Cluster,
  type ClusterLoadAssignment,
  ENDPOINT_TYPE,
  LISTENER_TYPE,
  type Listener,
  ROUTE_TYPE,
  type ResourceType,
  type RouteConfiguration,
  SECRET_TYPE,
  type Secret,
} from "@heddle/xds/api";
import { compileFormat } from "../worker/access-logs.ts";
import type { ResourceChange, SourcedSecret } from "./active-configuration.ts";

/** One resource as the engine's loader gave it, in the form in which it is merged with others. */
export type LoadedResource =
  | {
      readonly change: ResourceChange;
      readonly inlineSecrets: readonly SourcedSecret[];
      /** Files of TLS that are followed, each with a digest of what was read. */
      readonly tlsFiles: TlsFileDigests;
      /** To be looked up when it is put in force. */
      readonly requiredClusters: readonly RequiredCluster[];
      readonly problems: readonly [];
    }
  | { readonly change: undefined; readonly problems: readonly LoadProblem[] };

/**
 * Turns a message into configuration. Static resources and those of a control plane take this way alike; whatever is not
 * supported is a problem with its path.
 *
 * @param source where a secret of this kind comes from
 */
export function loadResource(type: ResourceType, message: Message, source: "ads" | "static"): LoadedResource {
  const tlsFiles = new Map<string, string>();
  const options =
    source === "static" ? localOptions : type === CLUSTER_TYPE ? remoteClusterOptions(tlsFiles) : remoteOptions;
  switch (type) {
    case LISTENER_TYPE: {
      const loaded = loadListener(message as Listener, options);
      if (loaded.config === undefined) return { change: undefined, problems: loaded.problems };
      const problems = [...listenerFilterProblems(loaded.config), ...accessLogProblems(loaded.config)];
      if (problems.length > 0) return { change: undefined, problems };
      return accepted({ listeners: setOne(loaded.config) }, loaded);
    }
    case CLUSTER_TYPE: {
      const loaded = loadCluster(message as Cluster, options);
      if (loaded.config === undefined) return { change: undefined, problems: loaded.problems };
      return accepted({ clusters: setOne(loaded.config) }, loaded, tlsFiles);
    }
    case ROUTE_TYPE: {
      const loaded = loadRouteConfiguration(message as RouteConfiguration, options);
      if (loaded.config === undefined) return { change: undefined, problems: loaded.problems };
      return accepted({ routeTables: setOne(loaded.config) }, loaded);
    }
    case ENDPOINT_TYPE: {
      const loaded = loadEndpoints(message as ClusterLoadAssignment, options);
      if (loaded.config === undefined) return { change: undefined, problems: loaded.problems };
      return accepted({ endpoints: setOne(loaded.config) }, loaded);
    }
    case SECRET_TYPE: {
      const loaded = loadSecret(message as Secret, options);
      if (loaded.config === undefined) return { change: undefined, problems: loaded.problems };
      return accepted({ secrets: { set: [{ source, secret: loaded.config }], remove: [] } }, loaded);
    }
  }
}

/** Whoever writes the bootstrap owns this host's files; a control plane does not. */
const localOptions: LoadOptions = { readFile, environment: process.env };
const remoteOptions: LoadOptions = {};

/**
 * A DestinationRule names the files of a client's TLS by their paths on its proxy's machine. What they hold decides handshakes and is shown to nobody, unlike the
 * text of an answer, which a control plane could have read out by name.
 */
function remoteClusterOptions(digests: Map<string, string>): LoadOptions {
  return {
    readTlsFile(path) {
      const bytes = readTlsFile(path);
      digests.set(path, digestOf(bytes));
      return bytes;
    },
  };
}

/** By path; what a file held when it was read, empty where it could not be. */
export type TlsFileDigests = ReadonlyMap<string, string>;

/** What the files hold now. */
export function digestTlsFiles(paths: Iterable<string>): TlsFileDigests {
  return new Map([...paths].map((path) => [path, digestOf(readTlsFile(path))]));
}

function digestOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "" : createHash("sha256").update(bytes).digest("base64");
}

/** Trust stores are some 200 KB. */
const maxTlsFileBytes = 4 * 1024 * 1024;

/** Neither a device nor a pipe, which would be read for ever. */
function readTlsFile(path: string): Uint8Array | undefined {
  try {
    const stats = statSync(path);
    return stats.isFile() && stats.size <= maxTlsFileBytes ? readFileSync(path) : undefined;
  } catch {
    // As for `readFile`.
    return undefined;
  }
}

function readFile(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch {
    // The loader reports the path and that there is no such file.
    return undefined;
  }
}

/** The change that removes a resource. */
export function removal(type: ResourceType, name: string, source: "ads" | "static"): ResourceChange {
  switch (type) {
    case LISTENER_TYPE:
      return { listeners: removeOne(name) };
    case CLUSTER_TYPE:
      return { clusters: removeOne(name) };
    case ROUTE_TYPE:
      return { routeTables: removeOne(name) };
    case ENDPOINT_TYPE:
      return { endpoints: removeOne(name) };
    case SECRET_TYPE:
      return { secrets: { set: [], remove: [{ source, name }] } };
  }
}

/** All changes as one. */
export function mergeChanges(changes: readonly ResourceChange[]): ResourceChange {
  const merged: Record<string, { set: unknown[]; remove: unknown[] }> = {};
  for (const change of changes) {
    for (const [kind, delta] of Object.entries(change) as [
      string,
      { set: readonly unknown[]; remove: readonly unknown[] },
    ][]) {
      const target = (merged[kind] ??= { set: [], remove: [] });
      target.set.push(...delta.set);
      target.remove.push(...delta.remove);
    }
  }
  return merged;
}

function accepted(
  change: ResourceChange,
  { secrets, requiredClusters }: Extract<Loaded<unknown>, { readonly problems: readonly [] }>,
  tlsFiles: TlsFileDigests = new Map(),
): LoadedResource {
  return {
    change,
    inlineSecrets: secrets.map((secret) => ({ source: "inline", secret })),
    requiredClusters,
    tlsFiles,
    problems: [],
  };
}

function setOne<T>(config: T): { set: T[]; remove: string[] } {
  return { set: [config], remove: [] };
}

function removeOne(name: string): { set: never[]; remove: string[] } {
  return { set: [], remove: [name] };
}

/** What the engine's loader knows and this host may lack. */
function listenerFilterProblems({ listenerFilters }: ListenerConfig): LoadProblem[] {
  const index = listenerFilters.findIndex(({ kind }) => kind === "original_dst");
  const message = index < 0 ? undefined : originalDestinationProblem();
  if (message === undefined) return [];
  const hint = "Connections cannot be redirected to this proxy: give each destination a listener of its own.";
  return [{ path: `listener_filters[${index}]`, message, hint }];
}

/** Formats are telemetry's, so the engine's loader cannot judge them. */
function accessLogProblems(listener: ListenerConfig): LoadProblem[] {
  const { filterChains, defaultFilterChain: fallback } = listener;
  return [
    ...formatProblems(listener.accessLogs, "access_log"),
    ...filterChains.flatMap((chain, index) => chainProblems(chain, `filter_chains[${index}]`)),
    ...(fallback === undefined ? [] : chainProblems(fallback, "default_filter_chain")),
  ];
}

/** The terminal filter, which has the logs, stands behind those that authorize. */
function chainProblems({ networkRbac, terminal }: FilterChainConfig, path: string): LoadProblem[] {
  const logs = terminal.kind === "http" ? terminal.http.accessLogs : terminal.tcp.accessLogs;
  return formatProblems(logs, `${path}.filters[${networkRbac.length}].typed_config.access_log`);
}

function formatProblems(logs: readonly AccessLogConfig[], path: string): LoadProblem[] {
  return logs.flatMap((log, index) => {
    const at = `${path}[${index}].typed_config.log_format`;
    const problems = compileFormat(log).problems.map((message) => ({
      path: at,
      message,
      hint: "Remove the operator: nothing is ever ignored in silence.",
    }));
    if (!log.omitEmptyValues) return problems;
    const hint = "Leave it out: what is empty prints as - or null.";
    return [...problems, { path: `${at}.omit_empty_values`, message: "is not supported yet", hint }];
  });
}
