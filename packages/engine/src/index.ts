// The bound configuration and the steps: pure, no I/O. `./config` has the plain types alone, `./load` reads xDS.
export type * from "./config/index.ts";
export { secretFromTransfer, secretToTransfer } from "./config/secret.ts";
export type * from "./bind/connection.ts";
export { passesTlv } from "./bind/listener-filters.ts";
export type { MutableHeaders } from "./bind/headers.ts";
export { canonicalIp, formatHostPort, isLoopback, parseIp } from "./bind/ip-address.ts";
export type { CheckedHealth } from "./bind/cluster.ts";
export type { ConfigDelta, ResourceDelta, Snapshot } from "./bind/snapshot.ts";
export { applyDelta, emptySnapshot, SnapshotBinder } from "./bind/snapshot.ts";
export { matchesString } from "./bind/string-matcher.ts";
export type * from "./bind/types.ts";
export type { NormalizedPath, PathNormalizationOptions } from "./path-normalization.ts";
export { normalizePath } from "./path-normalization.ts";
export { finishRequest } from "./steps/accounting.ts";
export type { ActionKind } from "./steps/action.ts";
export { Action } from "./steps/action.ts";
export {
  afterFailure,
  afterResponseHead,
  afterTimeout,
  unprocessed,
  unprocessedHeader,
} from "./steps/after-attempt.ts";
export { authorizeConnection } from "./steps/authorization.ts";
export { chooseEndpoint } from "./steps/choose-endpoint.ts";
export { chooseTcpCluster, matchFilterChain } from "./steps/connection.ts";
export { afterDelay, decideRequest } from "./steps/decide-request.ts";
export type { DecisionTrace, TraceEntry } from "./steps/decision-trace.ts";
export { finishGrpcWebError, finishGrpcWebHead } from "./steps/grpc-web.ts";
export { ClusterState, EndpointState, LiveState } from "./steps/live-state.ts";
export { type LimitedResource, limitedResources, type SharedCounts } from "./steps/shared-counts.ts";
export { pickEndpoint } from "./steps/load-balancer.ts";
export { prepareMirror } from "./steps/mirror.ts";
export type { AttemptFailure, RequestOutcome } from "./steps/outcome.ts";
export { prepareRequest, upstreamScheme } from "./steps/prepare-request.ts";
export { BoundHeaderMutation } from "./bind/header-mutation.ts";
export { RequestRecord } from "./steps/request-record.ts";
export { immediateFailureHeader, writeLocalResponse } from "./steps/response-headers.ts";
