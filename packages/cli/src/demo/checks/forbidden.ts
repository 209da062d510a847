import { booksFile } from "../bookshop-files.ts";
import type { Check } from "../check.ts";
import { Problems } from "../check.ts";
import { describeOutcome } from "../edge-client.ts";

const policy = "ns[default]-policy[books-no-delete]-rule[0]";
const logLimitMs = 3000;

export const forbidden: Check = {
  name: "forbidden",
  title: "the forbidden call gets 403, and the log names the policy",

  async run(demo) {
    const problems = new Problems();
    const since = demo.log.written;
    const outcome = await demo.client.send("/api/books/1", { method: "DELETE" });
    problems.require(outcome.status === 403 && outcome.body === "RBAC: access denied", describeOutcome(outcome));
    // Only `web` may call books: reviews, asked to, is turned away as well.
    const stranger = await demo.client.send("/whoami/reviews/books");
    problems.require(/"status":403/.test(stranger.body), `reviews may call books: ${describeOutcome(stranger)}`);
    const line = await demo.log.find(
      "books-0/proxy",
      (text) => text.includes('"DELETE /books/1 ') && text.includes(policy),
      logLimitMs,
      since,
    );
    problems.require(line !== undefined, `no line in the access log of books-0's proxy names ${policy}`);
    return {
      problems: problems.list,
      evidence: `DELETE got 403 "RBAC: access denied"; the log of books-0's proxy says ${policy}`,
    };
  },

  async sabotage(demo) {
    const before = await demo.files.read(booksFile);
    const documents = before.split(/^---$/m);
    const kept = documents.filter((text) => !text.includes("books-no-delete"));
    await demo.change(() => demo.files.write(booksFile, kept.join("---")));
    return () => demo.change(() => demo.files.write(booksFile, before));
  },
};
