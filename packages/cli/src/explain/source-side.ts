import type { BoundCluster, BoundRoute, ConnectionView } from "@heddle/engine";
import {
  Action,
  afterDelay,
  chooseEndpoint,
  decideRequest,
  LiveState,
  matchFilterChain,
  prepareRequest,
  RequestRecord,
} from "@heddle/engine";
import { HeaderList } from "@heddle/http";
import type { DestinationExplanation, FaultChance, MeshAnswer, Origin, RouteExplanation, Step } from "./explanation.ts";
import { explainInbound } from "./destination-side.ts";
import type { MeshOnPaper } from "./mesh-on-paper.ts";
import type { Question } from "./question.ts";
import { answerOf, StepRecorder } from "./step-recorder.ts";

/** What the client's proxy does, and on each way that it may take, what the server's proxy does. */
export interface SourceSide {
  readonly steps: readonly Step[];
  readonly route: RouteExplanation | null;
  readonly destinations: readonly DestinationExplanation[];
  readonly answer: MeshAnswer | null;
}

export function explainSource(mesh: MeshOnPaper, question: Question): SourceSide {
  const first = walk(mesh, question, undefined);
  const { route } = first.request;
  if (first.answer !== null || route === undefined) {
    return {
      steps: first.recorder.steps(mesh),
      route: route === undefined ? null : routeOf(mesh, first),
      destinations: [],
      answer: first.answer,
    };
  }
  const ways =
    route.weighted.length === 0
      ? [first]
      : route.weighted
          .filter(({ weight }) => weight > 0)
          .map((share) =>
            walk(mesh, question, (share.upTo - share.weight / 2) / route.totalWeight, share.weight / route.totalWeight),
          );
  return {
    // What was drawn is told by the destinations.
    steps: first.recorder.steps(mesh).filter(({ kind }) => kind !== "cluster" && kind !== "endpoint"),
    route: routeOf(mesh, first),
    destinations: ways.map((way) => destinationOf(mesh, question, way)),
    answer: null,
  };
}

interface Walk {
  readonly recorder: StepRecorder;
  readonly request: RequestRecord;
  readonly share: number;
  /** Before a cluster was chosen. */
  readonly answer: MeshAnswer | null;
  /** Of the cluster that was chosen. */
  readonly clusterAnswer: MeshAnswer | null;
}

/** The engine's own steps, on a live state that remembers nothing. */
function walk(mesh: MeshOnPaper, question: Question, weightedDraw: number | undefined, share = 1): Walk {
  const { source, listenPort, method, path, authority, headers, upgrade } = question;
  const recorder = new StepRecorder(weightedDraw);
  const request = new RequestRecord();
  const prepared = new Action();
  const decided = new Action();
  const chosen = new Action();
  const live = new LiveState();
  const end = (answer: MeshAnswer | null, clusterAnswer: MeshAnswer | null): Walk => ({
    recorder,
    request,
    share,
    answer,
    clusterAnswer,
  });
  const snapshot = mesh.snapshot(source.id);
  const listener = [...snapshot.listeners.values()].find(
    ({ config }) => config.addresses.some(({ port }) => port === listenPort) && config.direction !== "inbound",
  );
  if (listener === undefined) throw new Error(`the proxy of ${source.id} has no listener on port ${listenPort}`);
  const connection: ConnectionView = {
    peer: undefined,
    localPrincipal: "",
    remoteAddress: { host: "127.0.0.1", port: 0 },
    directRemoteAddress: { host: "127.0.0.1", port: 0 },
    localAddress: { host: "127.0.0.1", port: listenPort },
    isTls: false,
    sni: "",
    applicationProtocols: ["http/1.1"],
    transportProtocol: "raw_buffer",
    isDestinationRestored: false,
    proxyTlvs: [],
  };
  const hcm = matchFilterChain(listener, connection, recorder)?.http;
  if (hcm === undefined) throw new Error(`the listener on port ${listenPort} of ${source.id} takes no HTTP`);
  request.begin(method, path, authority, "", HeaderList.of(...headers), connection);
  request.upgrade = upgrade;
  prepareRequest(hcm, request, recorder.random, prepared, recorder);
  if (prepared.kind === "respond") return end(answerOf(mesh, prepared, request, recorder), null);
  decideRequest(snapshot, live, hcm, request, 0, recorder.random, decided, recorder);
  if (decided.kind === "delay") afterDelay(live, request, recorder.random, decided, recorder);
  if (answers(decided)) {
    const answer = answerOf(mesh, decided, request, recorder);
    // Without a cluster that exists the router answers for the way that was drawn.
    return weightedDraw === undefined ? end(answer, null) : end(null, answer);
  }
  chooseEndpoint(live, request, 0, recorder.random, chosen, recorder);
  return end(null, chosen.kind === "connect" ? null : answerOf(mesh, chosen, request, recorder));
}

/** A step may have changed its mind about the action that it was given. */
function answers(action: Action): boolean {
  return action.kind === "respond";
}

function destinationOf(
  mesh: MeshOnPaper,
  question: Question,
  { request, share, clusterAnswer }: Walk,
): DestinationExplanation {
  const { cluster } = request;
  const candidates = (cluster?.endpoints ?? []).filter(({ health }) => health === "healthy");
  const reached = candidates.flatMap((endpoint) => {
    const instance = [...mesh.instances.values()].find(({ inboundPort }) => inboundPort === endpoint.port);
    return instance === undefined ? [] : [{ endpoint, instance }];
  });
  // Replicas of a workload have the same configuration: one stands for all.
  const workloads = new Map(reached.map((each) => [each.instance.workload, each]));
  return {
    cluster: request.clusterName,
    percent: Math.round(share * 10_000) / 100,
    origin: mesh.originOf(cluster?.provenance) ?? originOfService(mesh, cluster),
    loadBalancer: cluster?.config.lb ?? "",
    endpoints: reached.map(({ instance }) => ({
      instance: instance.id,
      workload: instance.workload,
      identity: mesh.identityOf(instance),
      origin: mesh.originOfWorkload(instance.workload),
    })),
    inbound:
      clusterAnswer !== null
        ? []
        : [...workloads.values()].map(({ endpoint, instance }) =>
            explainInbound(mesh, question, request, endpoint, instance),
          ),
    answer: clusterAnswer,
  };
}

/** What no DestinationRule decides is as the service's declaration makes it. */
function originOfService(mesh: MeshOnPaper, cluster: BoundCluster | undefined): Origin | null {
  const service = cluster?.config.services[0];
  return service === undefined ? null : mesh.originOfService(service.name, service.namespace);
}

function routeOf(mesh: MeshOnPaper, { request }: Walk): RouteExplanation {
  const { route, method, path, authority, timeoutMs, upgrade } = request;
  const retry = route?.retry?.config;
  return {
    name: route?.name ?? "",
    origin: mesh.originOf(route?.provenance),
    upgrade,
    timeoutMs,
    timeoutOrigin: timeoutMs === 0 ? null : mesh.settingOf(route?.provenance, "timeout"),
    retries:
      retry === undefined || retry.numRetries === 0
        ? null
        : {
            attempts: retry.numRetries,
            retryOn: retry.retryOn,
            perTryTimeoutMs: retry.perTryTimeoutMs,
            onlyIdempotent: retry.onlyIdempotent,
            origin: mesh.settingOf(route?.provenance, "retries"),
          },
    faults: route === undefined ? [] : faultsOf(mesh, route),
    mirrors: (route?.mirrors ?? []).map((mirror) => mirror.cluster),
    sent: { method, path, authority },
  };
}

function faultsOf(mesh: MeshOnPaper, route: BoundRoute): FaultChance[] {
  const origin = mesh.settingOf(route.provenance, "fault");
  return [...(route.overrides?.values() ?? [])].flatMap((override): FaultChance[] => {
    if (override.kind !== "fault") return [];
    const { delayMs, delayShare, abortStatus, abortShare } = override.fault;
    return [
      ...(delayShare > 0 ? [{ kind: "delay" as const, percent: delayShare * 100, delayMs, status: 0, origin }] : []),
      ...(abortShare > 0
        ? [{ kind: "abort" as const, percent: abortShare * 100, delayMs: 0, status: abortStatus, origin }]
        : []),
    ];
  });
}
