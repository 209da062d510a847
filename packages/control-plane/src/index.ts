export { scanFolder } from "./sources/folder-scan.ts";
export type { FolderScan, SourceFile, UnreadablePath } from "./sources/folder-scan.ts";
export { FolderSource } from "./sources/folder-source.ts";
export type { FolderSnapshot, FolderSourceOptions } from "./sources/folder-source.ts";
export { instancesVersion, readInstances, writeInstances } from "./sources/instances-file.ts";
export type { InstancesContent } from "./sources/instances-file.ts";
export { readPort } from "./port-file.ts";
export { AlreadyRunning, findRun, readRunFile, requireAlone, stateFolderName } from "./run-file.ts";
export type { FoundRun, RunFile } from "./run-file.ts";
export { systemClock } from "./system-clock.ts";

/** The module that runs the control plane as a process of its own. */
export const controlPlaneEntry = new URL("./entry.ts", import.meta.url);
