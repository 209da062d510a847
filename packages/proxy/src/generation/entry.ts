import { LineLogger } from "../line-logger.ts";
import type { ProxyOptions } from "../options/options.ts";
import type { GenerationSetup } from "../supervisor/messages.ts";
import { prepareForConfiguration, prepareForWorkers } from "./runtime-flags.ts";
import { WorkerPool } from "./worker-pool.ts";

const setup = JSON.parse(process.argv[2] ?? "") as GenerationSetup<ProxyOptions>;
const { concurrency, logLevel, tlsKeyLogFile } = setup.options;
const logger = new LineLogger("proxy", logLevel);
prepareForWorkers();
// Before the rest is loaded, which takes longer: the workers load theirs meanwhile.
const pool = new WorkerPool({ count: concurrency, logger, random: Math.random, tlsKeyLogFile });
const { runGeneration } = await import("./run-generation.ts");
prepareForConfiguration();
await runGeneration(setup, pool, logger);
