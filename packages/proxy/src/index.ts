export { parseBootstrap } from "./bootstrap/parse.ts";
export type { BootstrapConfig, BootstrapProblem, ParsedBootstrap } from "./bootstrap/bootstrap.ts";
export { parseCommandLine, proxyUsage } from "./options/command-line.ts";
export type { ParsedCommandLine } from "./options/command-line.ts";
export { defaultOptions } from "./options/options.ts";
export type { CaOptions, ProxyOptions } from "./options/options.ts";
export { runProxy } from "./run-proxy.ts";
export { runSupervisor } from "./supervisor/supervisor.ts";
