// xDS messages → plain configuration, or every problem with its path. The only part of the engine that knows protobuf.
export { acceptedBeside } from "./accepted-beside.ts";
export { acceptedFields } from "./accepted-fields.ts";
export { capabilities } from "./capabilities.ts";
export { loadCluster } from "./cluster.ts";
export { loadAddress, loadDataSource } from "./core-types.ts";
export { loadEndpoints } from "./endpoints.ts";
export type { AcceptedField, AcceptedFields } from "./field-walker.ts";
export { unsupportedFields } from "./field-walker.ts";
export { loadListener } from "./listener.ts";
export type { Loaded, LoadOptions, LoadProblem } from "./loading.ts";
export { Loading, Path } from "./loading.ts";
export type { RequiredCluster } from "./required-clusters.ts";
export { missingClusters } from "./required-clusters.ts";
export { loadRouteConfiguration } from "./route-table.ts";
export { loadSecret } from "./secret.ts";
