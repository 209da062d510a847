import { setTimeout as delay } from "node:timers/promises";
import type { Check } from "../check.ts";
import { Problems, requireNoFailure } from "../check.ts";
import type { Outcome } from "../edge-client.ts";
import { countSplit, describeSplit, isSplit, reviewsVersion } from "../reviews-split.ts";
import { reviewsRequest } from "../shop-requests.ts";

const requestsPerSecond = 300;
const limitMs = 1000;
/** How long the new split is watched once it must be in force. */
const watchMs = 1000;
const beforeMs = 300;

export const reload: Check = {
  name: "reload",
  title: "a split changed to 50/50 in the file is in force within a second, with no failed request",

  prepare: (demo) => demo.ensureReviewsShare(10),

  async run(demo) {
    const problems = new Problems();
    const load = demo.startLoad(requestsPerSecond, reviewsRequest);
    await delay(beforeMs);
    const editedMs = performance.now();
    await demo.files.setReviewsShare(50);
    await delay(limitMs + watchMs);
    const outcomes = await load.stop();
    requireNoFailure(problems, outcomes);
    const after = countSplit(outcomes.filter(({ startedMs }) => startedMs >= editedMs + limitMs));
    const evidence = `${describeSplit(after, 0.5)}, counted from one second after the edit`;
    problems.require(isSplit(after, 0.5), evidence);
    const noticed = firstSignMs(outcomes, editedMs);
    return {
      problems: problems.list,
      evidence: `${evidence}${noticed === undefined ? "" : `; first seen after ${Math.round(noticed)} ms`}; ${outcomes.length} requests, none failed`,
    };
  },

  async sabotage(demo) {
    // The control plane hangs while the file is edited.
    const pid = demo.runner.controlPlane.pid;
    if (pid === undefined) throw new Error("the control plane is not running");
    const { configVersion } = await (await demo.admin()).proxies();
    process.kill(pid, "SIGSTOP");
    return async () => {
      process.kill(pid, "SIGCONT");
      // Ready says little: proxies are in step with a control plane that has not looked at the file yet, and the next edit
      // of the file would take the place of this one.
      await demo.untilChanged(configVersion);
    };
  },
};

const window = 20;

/**
 * When the first request was sent from which on half of a window comes from v2, in milliseconds after the edit: the rule counts
 * from the start of requests, too.
 */
export function firstSignMs(outcomes: readonly Outcome[], editedMs: number): number | undefined {
  const later = outcomes
    .filter((outcome) => outcome.startedMs >= editedMs && reviewsVersion(outcome) !== undefined)
    .sort((a, b) => a.startedMs - b.startedMs);
  const index = later.findIndex((outcome, start) => {
    const v2 = later.slice(start, start + window).filter((each) => reviewsVersion(each) === "v2").length;
    return reviewsVersion(outcome) === "v2" && v2 >= window / 2 - 2;
  });
  const first = later[index];
  return first === undefined ? undefined : first.startedMs - editedMs;
}
