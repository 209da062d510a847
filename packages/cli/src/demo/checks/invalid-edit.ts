import { authorsFile, reviewsFile } from "../bookshop-files.ts";
import type { Check } from "../check.ts";
import { Problems, requireNoFailure } from "../check.ts";
import { sendMany } from "../load.ts";
import { countSplit, describeSplit, isSplit } from "../reviews-split.ts";
import { readRequest, reviewsRequest } from "../shop-requests.ts";
import { until } from "../running-demo.ts";

const requestsPerSecond = 100;
const requests = 400;
const concurrency = 16;
const refusalLimitMs = 5000;

export const invalidEdit: Check = {
  name: "invalid-edit",
  title: "an invalid edit is refused with file and line and changes nothing",

  prepare: (demo) => demo.ensureReviewsShare(50),

  async run(demo) {
    const problems = new Problems();
    const valid = await demo.files.read(reviewsFile);
    // A typing error at the second weight, and a first one that would send everything to v1 if half of the edit were taken.
    const broken = valid.replace("weight: 50", "weight: 100").replace("weight: 50", "wieght: 0");
    const line = broken.split("\n").findIndex((text) => text.includes("wieght")) + 1;
    const load = demo.startLoad(requestsPerSecond, readRequest);
    await demo.files.write(reviewsFile, broken);
    const admin = await demo.admin();
    const isRefused = await until(async () => {
      const { findings } = await admin.resources();
      return findings.some(
        (finding) => finding.severity === "error" && finding.file === reviewsFile && finding.line === line,
      );
    }, refusalLimitMs);
    problems.require(isRefused, `nobody refuses ${reviewsFile}:${line}`);
    const logged = await demo.log.find(
      "control-plane",
      (text) => text.includes("resource rejected") && text.includes(`${reviewsFile}:${line}`),
      refusalLimitMs,
    );
    problems.require(logged !== undefined, `the log of the control plane does not name ${reviewsFile}:${line}`);
    const seen = countSplit(await sendMany(demo.client, requests, concurrency, reviewsRequest));
    requireNoFailure(problems, await load.stop());
    problems.require(isSplit(seen, 0.5), `the split is another: ${describeSplit(seen, 0.5)}`);
    await demo.files.write(reviewsFile, valid);
    return {
      problems: problems.list,
      evidence: `refused at ${reviewsFile}:${line}; still ${describeSplit(seen, 0.5)}`,
    };
  },

  async sabotage(demo) {
    // Another, valid edit slips in: authors now fails for everybody.
    const before = await demo.files.read(authorsFile);
    await demo.change(() => demo.files.edit(authorsFile, (text) => text.replace(/value: 0$/m, "value: 100")));
    return () => demo.change(() => demo.files.write(authorsFile, before));
  },
};
