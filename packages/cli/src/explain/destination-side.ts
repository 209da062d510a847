import type { WorkloadInstance } from "@heddle/compiler";
import { inboundListenerName } from "@heddle/compiler";
import type { BoundEndpoint, ConnectionView, ListenerConfig, PeerView, RequestRecord as Request } from "@heddle/engine";
import {
  Action,
  authorizeConnection,
  chooseEndpoint,
  decideRequest,
  LiveState,
  matchesString,
  matchFilterChain,
  prepareRequest,
  RequestRecord,
} from "@heddle/engine";
import { errorEntry } from "@heddle/core";
import type { ErrorCode } from "@heddle/core";
import { HeaderList } from "@heddle/http";
import type { InboundExplanation, MeshAnswer, Origin } from "./explanation.ts";
import type { MeshOnPaper } from "./mesh-on-paper.ts";
import type { Question } from "./question.ts";
import { answerOf, StepRecorder } from "./step-recorder.ts";

/** What the proxy beside the server does with a request that the client's proxy has sent. */
export function explainInbound(
  mesh: MeshOnPaper,
  { source }: Question,
  sent: Request,
  endpoint: BoundEndpoint,
  instance: WorkloadInstance,
): InboundExplanation {
  const recorder = new StepRecorder(undefined);
  const security = securityOf(endpoint);
  const mutualTls = security === "mutual TLS";
  const end = (answer: MeshAnswer | null): InboundExplanation => ({
    workload: instance.workload,
    accepted: answer === null,
    mutualTls,
    security,
    steps: recorder.steps(mesh),
    answer,
  });
  const identity = mesh.identityOf(instance);
  const names = mutualTls ? (endpoint.tls?.common.validation?.matchSubjectAltNames ?? []) : [];
  if (names.length > 0 && !names.some(({ type, match }) => type === "uri" && matchesString(match)(identity))) {
    // Whom the client accepts is the destination's own identities, unless a DestinationRule says otherwise.
    return end(failure("upstream_peer_rejected", mesh.originOf(sent.cluster?.provenance)));
  }
  const snapshot = mesh.snapshot(instance.id);
  const listener = snapshot.listeners.get(inboundListenerName);
  if (listener === undefined) throw new Error(`the proxy of ${instance.id} has no inbound listener`);
  const connection: ConnectionView = {
    peer: mutualTls ? peerView(mesh, source) : undefined,
    localPrincipal: mutualTls ? identity : "",
    remoteAddress: { host: source.address, port: 0 },
    directRemoteAddress: { host: source.address, port: 0 },
    localAddress: { host: instance.address, port: instance.inboundPort },
    isTls: mutualTls,
    sni: endpoint.tls?.sni ?? "",
    // Without TLS it is the HTTP inspector that says so, where one looks.
    applicationProtocols: endpoint.tls?.common.alpn ?? ["http/1.1"],
    transportProtocol: security === "plaintext" ? "raw_buffer" : "tls",
    isDestinationRestored: false,
    proxyTlvs: [],
  };
  const chain = matchFilterChain(listener, connection, recorder);
  if (chain === undefined) return end(failure("no_filter_chain", originOfMode(mesh, listener.config)));
  if (security === "TLS" && (chain.config.tls !== undefined || chain.http !== undefined)) {
    // Its own end of TLS is the mesh's, and without one it takes what comes for HTTP.
    const hint = `Only a port of TLS or TCP under PERMISSIVE or DISABLE hands the TLS on to the application; for the mesh's own, remove tls of the DestinationRule.`;
    return end({ ...failure("upstream_tls_failed", mesh.originOf(sent.cluster?.provenance)), hint });
  }
  const decision = authorizeConnection(chain, connection, recorder);
  if (!decision.allowed) {
    const { code, details, policy } = decision;
    const origin = mesh.originOf(policy?.provenance) ?? recorder.firstAllowPolicy(mesh);
    return end({ ...failure(code === "" ? "rbac_denied" : code, origin), details });
  }
  const hcm = chain.http;
  // Opaque traffic has met every policy that can be judged for it.
  if (hcm === undefined) return end(null);
  const request = new RequestRecord();
  const prepared = new Action();
  const decided = new Action();
  const chosen = new Action();
  const live = new LiveState();
  request.begin(sent.method, sent.path, sent.authority, "", copyOf(sent), connection);
  request.upgrade = sent.upgrade;
  prepareRequest(hcm, request, recorder.random, prepared, recorder);
  if (prepared.kind === "respond") return end(answerOf(mesh, prepared, request, recorder));
  decideRequest(snapshot, live, hcm, request, 0, recorder.random, decided, recorder);
  if (decided.kind === "respond") return end(answerOf(mesh, decided, request, recorder));
  chooseEndpoint(live, request, 0, recorder.random, chosen, recorder);
  return end(chosen.kind === "connect" ? null : answerOf(mesh, chosen, request, recorder));
}

/** A certificate from files is a DestinationRule's MUTUAL: the mesh's comes from beside the proxy. */
function securityOf({ tls }: BoundEndpoint): InboundExplanation["security"] {
  if (tls === undefined) return "plaintext";
  const { certificate } = tls.common;
  return certificate === undefined || certificate.source === "inline" ? "TLS" : "mutual TLS";
}

function copyOf({ headers }: Request): HeaderList {
  return HeaderList.of(
    ...Array.from({ length: headers.length }, (_, index) => [headers.nameAt(index), headers.valueAt(index)] as const),
  );
}

/** The client as its certificate would name it. */
function peerView(mesh: MeshOnPaper, source: WorkloadInstance): PeerView {
  const principal = mesh.identityOf(source);
  return {
    principal,
    uriSans: [principal],
    dnsSans: [],
    subject: "",
    trustDomain: mesh.plan.trustDomain,
    namespace: source.namespace,
    serviceAccount: source.serviceAccount,
    sha256: "",
    certificatePem: "",
    chainPem: "",
  };
}

/** The PeerAuthentication that left a connection without a filter chain: all chains of a listener come from its mode. */
function originOfMode(mesh: MeshOnPaper, { filterChains }: ListenerConfig): Origin | null {
  return mesh.originOf(filterChains.find(({ provenance }) => provenance !== undefined)?.provenance);
}

/** A connection that does not come about, as the client sees it. */
function failure(code: ErrorCode, origin: Origin | null): MeshAnswer {
  const { httpStatus, text, details, flag, hint } = errorEntry(code);
  // Where no response is made, the connection is closed, which the client's proxy reports as a failed upstream.
  return {
    status: httpStatus === 0 ? errorEntry("upstream_reset").httpStatus : httpStatus,
    body: text,
    details,
    flags: flag === "" ? [] : [flag],
    location: "",
    hint,
    intended: false,
    origin,
  };
}
