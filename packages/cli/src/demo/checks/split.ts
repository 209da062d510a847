import type { Check } from "../check.ts";
import { Problems, requireNoFailure } from "../check.ts";
import { sendMany } from "../load.ts";
import { countSplit, describeSplit, isSplit } from "../reviews-split.ts";
import { reviewsRequest } from "../shop-requests.ts";

const requests = 2000;
const concurrency = 24;

export const split: Check = {
  name: "split",
  title: "the split between reviews v1 and v2 is within 5σ of 90/10",

  prepare: (demo) => demo.ensureReviewsShare(10),

  async run(demo) {
    const problems = new Problems();
    const outcomes = await sendMany(demo.client, requests, concurrency, reviewsRequest);
    requireNoFailure(problems, outcomes);
    const seen = countSplit(outcomes);
    problems.require(seen.total >= requests, `only ${seen.total} answers say which version they are from`);
    const evidence = describeSplit(seen, 0.1);
    problems.require(isSplit(seen, 0.1), evidence);
    return { problems: problems.list, evidence };
  },

  async sabotage(demo) {
    await demo.ensureReviewsShare(30);
    return () => demo.ensureReviewsShare(10);
  },
};
