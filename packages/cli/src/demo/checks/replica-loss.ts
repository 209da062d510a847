import { setTimeout as delay } from "node:timers/promises";
import type { Check } from "../check.ts";
import { Problems, requireNoFailure } from "../check.ts";
import type { Outcome } from "../edge-client.ts";
import { hadBegun } from "../edge-client.ts";
import { until } from "../running-demo.ts";
import { reviewsRequest } from "../shop-requests.ts";

const victimId = "ratings-0";
const otherId = "ratings-1";
const requestsPerSecond = 200;
const bothLimitMs = 5000;
const afterMs = 1500;

export const replicaLoss: Check = {
  name: "replica-loss",
  title: "one of two ratings replicas killed: no request fails at the edge whose response had not begun",

  // Every review comes with stars then, and so passes through ratings.
  prepare: (demo) => demo.ensureReviewsShare(100),

  async run(demo) {
    const problems = new Problems();
    const load = demo.startLoad(requestsPerSecond, reviewsRequest);
    const both = await until(async () => servedBy(load.soFar).size === 2, bothLimitMs);
    problems.require(both, `ratings come only from ${[...servedBy(load.soFar)].join(", ") || "nobody"} even before`);
    const killedMs = performance.now();
    await demo.runner.loseReplica(victimId);
    await delay(afterMs);
    const outcomes = await load.stop();
    await demo.runner.replaceReplica(victimId);
    requireNoFailure(problems, outcomes, hadBegun);
    const begun = outcomes.filter(hadBegun).length;
    const after = servedBy(outcomes.filter(({ startedMs }) => startedMs > killedMs + afterMs / 2));
    problems.require(
      !after.has(victimId) && after.has(otherId),
      `a second later ratings come from ${[...after].join(", ") || "nobody"}`,
    );
    return {
      problems: problems.list,
      evidence: `${victimId} killed with its proxy under ${requestsPerSecond} requests per second; ${outcomes.length} requests, none failed${begun === 0 ? "" : ` but ${begun} that had begun`}, then all from ${otherId}`,
    };
  },

  async sabotage(demo) {
    // There is no other replica that could take over.
    await demo.runner.loseReplica(otherId);
    return () => demo.runner.replaceReplica(otherId);
  },
};

/** Which replicas of ratings the answers name. */
function servedBy(outcomes: readonly Outcome[]): Set<string> {
  const names = outcomes.map(({ body }) => /"ratingsFrom":"([^"]+)"/.exec(body)?.[1]);
  return new Set(names.filter((name) => name !== undefined));
}
