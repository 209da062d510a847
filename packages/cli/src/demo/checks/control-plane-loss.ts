import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Check } from "../check.ts";
import { Problems, requireNoFailure } from "../check.ts";
import { sendMany } from "../load.ts";
import { countSplit, describeSplit, isSplit } from "../reviews-split.ts";
import type { RunningDemo } from "../running-demo.ts";
import { until } from "../running-demo.ts";
import { readRequest, reviewsRequest } from "../shop-requests.ts";
import { probeTls } from "../tls-probe.ts";

const victimId = "reviews-v1-0";
const requestsPerSecond = 100;
const requests = 400;
const concurrency = 16;
const restartLimitMs = 15_000;

export const controlPlaneLoss: Check = {
  name: "control-plane-loss",
  title: "without the control plane a killed proxy comes back with its last good configuration and its keys from disk",

  prepare: (demo) => demo.ensureReviewsShare(50),

  async run(demo) {
    const problems = new Problems();
    const { pem } = await demo.trustBundle();
    const { sidecar, instance } = demo.replica(victimId);
    const serialBefore = (await probeTls(instance, pem)).serialNumber;
    const load = demo.startLoad(requestsPerSecond, readRequest);
    await demo.runner.controlPlane.killAndHold();
    const pidBefore = sidecar.pid;
    sidecar.kill();
    const isBack = await until(
      async () => sidecar.pid !== undefined && sidecar.pid !== pidBefore && (await sidecar.isReady()),
      restartLimitMs,
    );
    problems.require(isBack, `the proxy of ${victimId} did not come back within ${restartLimitMs / 1000} s`);
    problems.require(demo.runner.controlPlane.pid === undefined, "the control plane is running");
    let evidence = "";
    if (isBack) {
      const seen = countSplit(await sendMany(demo.client, requests, concurrency, reviewsRequest));
      evidence = describeSplit(seen, 0.5);
      problems.require(isSplit(seen, 0.5), `the split is another: ${evidence}`);
      const { serialNumber } = await probeTls(instance, pem);
      problems.require(
        serialNumber === serialBefore && serialNumber !== "",
        `the certificate is another: ${serialNumber || "none"} instead of ${serialBefore}`,
      );
    }
    const outcomes = await load.stop();
    requireNoFailure(problems, outcomes);
    return {
      problems: problems.list,
      evidence: `the proxy of ${victimId} is back with the same certificate (serial …${serialBefore.slice(-8)}); ${evidence}; ${outcomes.length} requests meanwhile, none failed`,
    };
  },

  async sabotage(demo) {
    // What the proxy keeps on disk is gone when it looks for it.
    const folder = stateFolder(demo);
    const aside = `${folder}.aside`;
    await mkdir(aside);
    for (const name of await readdir(folder)) if (!given.has(name)) await rename(join(folder, name), join(aside, name));
    return async () => {
      for (const name of await readdir(folder)) if (!given.has(name)) await rm(join(folder, name), { recursive: true });
      for (const name of await readdir(aside)) await rename(join(aside, name), join(folder, name));
      await rm(aside, { recursive: true });
      demo.replica(victimId).sidecar.kill();
      await demo.ensureControlPlane();
    };
  },
};

/** What `heddle up` puts there; all else is the proxy's own. */
const given = new Set(["bootstrap.json", "join-token", "trust-bundle.pem"]);

function stateFolder(demo: RunningDemo): string {
  return demo.replica(victimId).files.folder;
}
