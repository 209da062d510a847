import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { EventWaiter } from "@heddle/testkit";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { JoinTokenKeeper } from "./join-token-keeper.ts";

const identity = "spiffe://cluster.local/ns/default/sa/web";
const minutes = 60_000;

function setUp(t: TestContext) {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const file = join(temporaryFolder(t, { "join-token": "first\n" }), "join-token");
  const issued: string[] = [];
  const reports: string[] = [];
  const waiter = new EventWaiter();
  let failure: Error | undefined;
  const keeper = new JoinTokenKeeper({
    issue: async (wanted) => {
      issued.push(wanted);
      if (failure !== undefined) throw failure;
      return `token ${issued.length}`;
    },
    report: (line) => {
      reports.push(line);
      waiter.notify();
    },
  });
  keeper.keep(file, identity);
  return {
    keeper,
    file,
    issued,
    reports,
    waiter,
    fail: (error: Error | undefined) => {
      failure = error;
    },
  };
}

test("a fresh token is in the file before the last has expired", async (t) => {
  const { keeper, file, issued } = setUp(t);
  t.mock.timers.tick(4 * minutes);
  assert.deepEqual(issued, [identity]);
  await keeper.close();
  assert.equal(readFileSync(file, "utf8"), "first\n", "what is written while the mesh ends is nobody's");
});

test("a proxy that starts again gets a token at once, and only one however often it is asked for", async (t) => {
  const { keeper, file, issued } = setUp(t);
  keeper.refresh(file);
  keeper.refresh(file);
  assert.equal(issued.length, 1);
  await keeper.settled();
  assert.equal(readFileSync(file, "utf8"), "token 1\n");
  keeper.refresh(file);
  await keeper.settled();
  assert.equal(readFileSync(file, "utf8"), "token 2\n");
  await keeper.close();
});

test("a token that cannot be had is said, and asked for again", async (t) => {
  const { keeper, file, reports, waiter, fail } = setUp(t);
  fail(new Error("there are 10000 join tokens already"));
  t.mock.timers.tick(4 * minutes);
  await waiter.until("the report", () => reports.length > 0);
  assert.deepEqual(reports, [
    `no new join token for ${identity}: there are 10000 join tokens already; tried again in 4 minutes`,
  ]);
  fail(undefined);
  await keeper.settled();
  t.mock.timers.tick(4 * minutes);
  await keeper.settled();
  assert.equal(readFileSync(file, "utf8"), "token 2\n");
  await keeper.close();
});

test("a proxy that is gone gets no more tokens", async (t) => {
  const { keeper, file, issued } = setUp(t);
  keeper.forget(file);
  keeper.refresh(file);
  t.mock.timers.tick(8 * minutes);
  assert.deepEqual(issued, []);
  await keeper.close();
});
