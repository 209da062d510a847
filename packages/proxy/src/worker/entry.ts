import { enableCompileCache } from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import type { WorkerSetup } from "./messages.ts";

enableCompileCache();
const { startTrafficWorker } = await import("./traffic-worker.ts");
if (parentPort === null) throw new Error("this module runs in a worker thread");
startTrafficWorker(parentPort, workerData as WorkerSetup);
