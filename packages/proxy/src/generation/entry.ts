import { enableCompileCache } from "node:module";

// First, so that everything imported below is compiled once per machine and not once per start.
enableCompileCache();
const { runGeneration } = await import("./run-generation.ts");
await runGeneration(process.argv[2] ?? "");
