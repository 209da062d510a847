import { formatSpiffeId } from "@heddle/core";
import assert from "node:assert/strict";
import {
  Action,
  afterDelay,
  afterResponseHead,
  applyDelta,
  authorizeConnection,
  type BoundEndpoint,
  type BoundHttpConnectionManager,
  type BoundListener,
  chooseEndpoint,
  type ConnectionDecision,
  type ConnectionView,
  decideRequest,
  emptySnapshot,
  LiveState,
  matchFilterChain,
  type PeerView,
  prepareRequest,
  RequestRecord,
  type Snapshot,
  writeLocalResponse,
} from "@heddle/engine";
import {
  type Loaded,
  type LoadOptions,
  loadCluster,
  loadEndpoints,
  loadListener,
  loadRouteConfiguration,
} from "@heddle/engine/load";
import { HeaderList } from "@heddle/http";
import type { CompiledResource, WorkloadInstance } from "../inputs.ts";
import type { TestMesh } from "./test-mesh.ts";

export interface Call {
  readonly from: string;
  /** `<service>.<namespace>`, or undefined for a call from outside to the edge. */
  readonly to?: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Host header; by default the address of the caller's own proxy, as an application in ports mode sends it. */
  readonly authority?: string;
  /** Headers of the application's answer. */
  readonly answer?: Readonly<Record<string, string>>;
  /** Every random decision of the proxies. */
  readonly random?: number;
}

/** How a call ended. */
export interface Result {
  /** 200: it reached an application. */
  readonly status: number;
  readonly body: string;
  readonly details: string;
  readonly flags: readonly string[];
  readonly location: string;
  /** Where the caller's proxy sent it; empty: nowhere. */
  readonly cluster: string;
  readonly route: string;
  /** Instance whose application got it. */
  readonly reached: string;
  /** As the application sees it. */
  readonly path: string;
  readonly authority: string;
  readonly headers: HeaderList;
  /** Headers of the answer, a proxy's or the application's, as the caller sees them. */
  readonly answer: HeaderList;
  readonly mirrors: readonly string[];
  readonly delayMs: number;
  /** What shadow policies of the callee would have done: `denied <policy>`; empty: nothing was tried. */
  readonly shadow: string;
  readonly canRetry: boolean;
  readonly timeoutMs: number;
}

/**
 * Sends calls through two proxies of a mesh: the compiled configuration is loaded and bound as a proxy does it, and the steps that serve
 * traffic decide. Only bytes and time are missing.
 */
export class Traffic {
  readonly #mesh: TestMesh;
  readonly #snapshots = new Map<string, Snapshot>();

  constructor(mesh: TestMesh) {
    this.#mesh = mesh;
  }

  call(call: Call): Result {
    const caller = this.#mesh.instance(call.from);
    const snapshot = this.snapshot(call.from);
    const listener = callListener(snapshot, caller, call.to);
    const { httpManager } = this.#accept(listener, { isTls: false });
    const address = `${listener.config.addresses[0]?.host}:${listener.config.addresses[0]?.port}`;
    const request = requestOf(call, call.authority ?? address, connectionOf({ isTls: false }));
    const random = () => call.random ?? 0.5;
    const out = new Action();
    const live = new LiveState();
    const mirrors: string[] = [];
    const delayMs = decide(snapshot, httpManager, request, live, random, out);
    const sent = { delayMs, cluster: request.clusterName, route: request.route?.name ?? "", flags: request.flags };
    const limits = { canRetry: false, timeoutMs: request.timeoutMs };
    if (out.kind !== "forward") return answered(request, out, { ...sent, ...limits, cluster: "" }, mirrors);
    for (const mirror of out.mirrors) mirrors.push(mirror.cluster);
    limits.canRetry = request.canRetry;
    const chosen = new Action();
    chooseEndpoint(live, request, 0, random, chosen);
    if (chosen.kind !== "connect" || chosen.endpoint === undefined)
      return answered(request, chosen, { ...sent, ...limits }, mirrors);
    const delivered = this.#deliver(caller, chosen.endpoint, request, { ...sent, ...limits }, mirrors);
    const answer = delivered.reached === "" ? delivered.answer : headerListOf(call.answer);
    if (delivered.reached !== "") afterResponseHead(live, request, delivered.status, answer, 0, random, new Action());
    return { ...delivered, answer };
  }

  /** Whether a connection to a workload's TCP port is let in, from a caller of the mesh or from nobody. */
  connect(to: string, from: string | undefined): ConnectionDecision {
    const peer = from === undefined ? undefined : peerOf(this.#mesh.instance(from));
    const [inbound] = [...this.snapshot(to).listeners.values()].filter(({ name }) => name === "virtualInbound");
    assert.ok(inbound);
    const connection = connectionOf(peer === undefined ? { isTls: false } : { isTls: true, peer });
    const chain = matchFilterChain(inbound, connection);
    assert.ok(chain, `${to} has no chain for this connection`);
    return authorizeConnection(chain, connection);
  }

  /** A request straight to a workload's inbound port, without a proxy of its own. */
  callInbound(to: string, call: Omit<Call, "from" | "to"> & { peer?: PeerView; remote?: string }): Result {
    const isTls = call.peer !== undefined;
    const connection = connectionOf({ isTls, ...(call.peer === undefined ? {} : { peer: call.peer }) }, call.remote);
    const request = requestOf({ from: "", ...call }, call.authority ?? "x", connection);
    return this.#serve(
      to,
      request,
      connection,
      { delayMs: 0, cluster: "", route: "", flags: [], canRetry: false, timeoutMs: 0 },
      [],
    );
  }

  snapshot(instanceId: string): Snapshot {
    const known = this.#snapshots.get(instanceId);
    if (known !== undefined) return known;
    const { listeners, routes, clusters, endpoints } = this.#mesh.resources(instanceId);
    const snapshot = applyDelta(emptySnapshot, {
      listeners: { set: loadAll(listeners, (message) => loadListener(message)), remove: [] },
      routeTables: { set: loadAll(routes, (message) => loadRouteConfiguration(message)), remove: [] },
      clusters: { set: loadAll(clusters, (message) => loadCluster(message, anyTlsFile)), remove: [] },
      endpoints: { set: loadAll(endpoints, (message) => loadEndpoints(message)), remove: [] },
    });
    this.#snapshots.set(instanceId, snapshot);
    return snapshot;
  }

  #deliver(
    caller: WorkloadInstance,
    endpoint: BoundEndpoint,
    request: RequestRecord,
    sent: Sent,
    mirrors: string[],
  ): Result {
    const callee = this.#mesh.instances.find(({ inboundPort }) => inboundPort === endpoint.port);
    assert.ok(callee, `nobody is at ${endpoint.key}`);
    const isTls = endpoint.tls !== undefined;
    const peer = isTls ? { peer: peerOf(caller) } : {};
    const protocols = endpoint.tls?.common.alpn ?? [];
    const connection = connectionOf({ isTls, sni: endpoint.tls?.sni ?? "", applicationProtocols: protocols, ...peer });
    const arrived = new RequestRecord();
    arrived.begin(request.method, request.path, request.authority, "http", request.headers, connection);
    return this.#serve(callee.id, arrived, connection, sent, mirrors);
  }

  #serve(to: string, request: RequestRecord, connection: ConnectionView, sent: Sent, mirrors: string[]): Result {
    const snapshot = this.snapshot(to);
    const inbound = snapshot.listeners.get("virtualInbound");
    assert.ok(inbound);
    const { httpManager } = this.#accept(inbound, connection);
    const out = new Action();
    decide(snapshot, httpManager, request, new LiveState(), () => 0.5, out);
    if (out.kind !== "forward") return answered(request, out, sent, mirrors);
    return { ...answered(request, out, sent, mirrors), status: 200, reached: to };
  }

  #accept(listener: BoundListener, seen: Partial<ConnectionView>): { httpManager: BoundHttpConnectionManager } {
    const chain = matchFilterChain(listener, connectionOf(seen));
    assert.ok(chain?.http, `${listener.name} closes this connection`);
    return { httpManager: chain.http };
  }
}

type Sent = Pick<Result, "delayMs" | "cluster" | "route" | "flags" | "canRetry" | "timeoutMs">;

function answered(request: RequestRecord, out: Action, sent: Sent, mirrors: readonly string[]): Result {
  const answer = new HeaderList();
  if (out.kind === "respond") writeLocalResponse(request, out, answer);
  return {
    ...sent,
    status: out.status,
    body: out.body,
    details: out.details,
    flags: request.flags === sent.flags ? [...sent.flags] : [...sent.flags, ...request.flags],
    location: out.location,
    reached: "",
    path: request.path,
    authority: request.authority,
    headers: request.headers as HeaderList,
    answer,
    mirrors,
    shadow: request.shadowResult === "" ? "" : `${request.shadowResult} ${request.shadowPolicy || "none"}`,
  };
}

/** Runs the steps of one proxy; delays are taken as passed. */
function decide(
  snapshot: Snapshot,
  manager: BoundHttpConnectionManager,
  request: RequestRecord,
  live: LiveState,
  random: () => number,
  out: Action,
): number {
  prepareRequest(manager, request, random, out);
  if (out.kind === "respond") return 0;
  decideRequest(snapshot, live, manager, request, 0, random, out);
  if (out.kind !== "delay") return 0;
  const { delayMs } = out;
  afterDelay(live, request, random, out);
  return delayMs;
}

function requestOf(call: Call, authority: string, connection: ConnectionView): RequestRecord {
  const request = new RequestRecord();
  request.begin(call.method ?? "GET", call.path ?? "/", authority, "http", headerListOf(call.headers), connection);
  return request;
}

function headerListOf(headers: Readonly<Record<string, string>> = {}): HeaderList {
  const list = new HeaderList();
  for (const [name, value] of Object.entries(headers)) list.append(name, value);
  return list;
}

function callListener(snapshot: Snapshot, caller: WorkloadInstance, to: string | undefined): BoundListener {
  const port = to === undefined ? caller.edgePort : caller.outboundPorts[to];
  const found = [...snapshot.listeners.values()].find(({ config }) => config.addresses[0]?.port === port);
  return found ?? assert.fail(`${caller.id} has no listener for ${to}`);
}

/** Files that a DestinationRule names are on a client's machine; what is decided here asks for none of what they hold. */
export const anyTlsFile: LoadOptions = { readTlsFile: () => new Uint8Array() };

/** Loads what must load: the compiler emits nothing that Heddle's own proxy refuses. */
export function loadAll<Resource extends CompiledResource["message"], Config>(
  resources: readonly CompiledResource<Resource>[],
  load: (message: Resource) => Loaded<Config>,
): Config[] {
  return resources.map(({ name, message }) => {
    const { config, problems } = load(message);
    assert.deepEqual(problems, [], name);
    assert.ok(config !== undefined);
    return config;
  });
}

export function peerOf(
  { namespace, serviceAccount }: Pick<WorkloadInstance, "namespace" | "serviceAccount">,
  trustDomain = "cluster.local",
): PeerView {
  const principal = formatSpiffeId(trustDomain, namespace, serviceAccount);
  return {
    principal,
    uriSans: [principal],
    dnsSans: [],
    subject: "",
    trustDomain,
    namespace,
    serviceAccount,
    sha256: "00",
    certificatePem: "",
    chainPem: "",
  };
}

export function connectionOf(seen: Partial<ConnectionView>, remote = "127.0.0.1"): ConnectionView {
  return {
    peer: undefined,
    localPrincipal: "",
    remoteAddress: { host: remote, port: 50_000 },
    directRemoteAddress: { host: remote, port: 50_000 },
    localAddress: { host: "127.0.0.1", port: 30_000 },
    isTls: false,
    sni: "",
    applicationProtocols: [],
    transportProtocol: seen.isTls === true ? "tls" : "raw_buffer",
    isDestinationRestored: false,
    proxyTlvs: [],
    ...seen,
  };
}
