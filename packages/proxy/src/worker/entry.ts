import { parentPort, workerData } from "node:worker_threads";
import type { WorkerSetup } from "./messages.ts";
import { startTrafficWorker } from "./traffic-worker.ts";

if (parentPort === null) throw new Error("this module runs in a worker thread");
startTrafficWorker(parentPort, workerData as WorkerSetup);
