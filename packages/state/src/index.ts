export { isSameProcess, startedAt } from "./process-identity.ts";
export { moveAside, prepareStateDirectory, readStateFile, replaceFile, writeStateFile } from "./state-file.ts";
export type { StateFileContent } from "./state-file.ts";
export { StateIsNewer } from "./state-is-newer.ts";
