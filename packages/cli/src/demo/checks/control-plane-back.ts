import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Check } from "../check.ts";
import { Problems, requireNoFailure } from "../check.ts";
import { sendMany } from "../load.ts";
import { countSplit, describeSplit, isSplit } from "../reviews-split.ts";
import { until } from "../running-demo.ts";
import { readRequest, reviewsRequest } from "../shop-requests.ts";

const requestsPerSecond = 50;
const requests = 200;
const firstRound = 24;
const concurrency = 8;
const startLimitMs = 30_000;
const reconnectLimitMs = 15_000;
const arrivalLimitMs = 2000;

export const controlPlaneBack: Check = {
  name: "control-plane-back",
  title: "when the control plane is back, the proxies find it and a further change arrives",

  async run(demo) {
    const problems = new Problems();
    const { controlPlane } = demo.runner;
    if (controlPlane.pid !== undefined) await controlPlane.killAndHold();
    const load = demo.startLoad(requestsPerSecond, readRequest);
    const started = performance.now();
    const isBack = await Promise.race([
      controlPlane.release().then(() => true),
      delay(startLimitMs, false, { ref: false }),
    ]);
    problems.require(isBack, `the control plane did not start within ${startLimitMs / 1000} s`);
    let proxies = 0;
    const isFound = await until(async () => {
      const rows = (await (await demo.admin()).proxies()).proxies;
      proxies = rows.length;
      return rows.length > 0 && rows.every((row) => row.isConnected && row.isSynced);
    }, reconnectLimitMs);
    problems.require(isFound, `not every proxy was connected again within ${reconnectLimitMs / 1000} s`);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    await demo.files.setReviewsShare(100);
    // From the first round of answers that are all from v2; the one that counts comes after it.
    await until(
      async () => isSplit(countSplit(await sendMany(demo.client, firstRound, concurrency, reviewsRequest)), 1),
      arrivalLimitMs,
    );
    const seen = countSplit(await sendMany(demo.client, requests, concurrency, reviewsRequest));
    requireNoFailure(problems, await load.stop());
    const evidence = describeSplit(seen, 1);
    problems.require(isSplit(seen, 1), `a change of the split to v2 alone did not arrive: ${evidence}`);
    return {
      problems: problems.list,
      evidence: `${proxies} proxies connected ${seconds} s after its start; then a split of 0/100: ${evidence}`,
    };
  },

  async sabotage(demo) {
    // The authority's key is lost while the control plane is away: it makes a new one, which no proxy has a reason to trust.
    const folder = join(demo.stateDir, "ca");
    const aside = `${folder}.aside`;
    await rename(folder, aside);
    return async () => {
      await demo.runner.controlPlane.killAndHold();
      await rm(folder, { recursive: true, force: true });
      await rename(aside, folder);
      await demo.ensureControlPlane();
    };
  },
};
