import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runProof } from "./proof-run.ts";
import { ruleTables } from "./rules/tables.ts";
import { TestProofs } from "./test-proofs.ts";
import { isSameTest, listTurned, ruleNumber, turnProblem, turnRound, type Turn, verdict } from "./turned-branch.ts";

test("a title begins with the number of its rule, or with a word before it", () => {
  const cases: [string, string | undefined][] = [
    ["4.1.3 the rule {} matches everything", "4.1.3"],
    ["4.9: of the same age the name decides", "4.9"],
    ["4.6: attempts: 0 switches retries off", "4.6"],
    ["source: 4.1.4: service accounts are exact", "4.1.4"],
    ["4 of 5 replicas answer", undefined],
    ["as istio.md 4.1 says", undefined],
  ];
  for (const [title, number] of cases) assert.equal(ruleNumber(title), number, title);
});

test("a row of a table and the template that it was made from are one test", () => {
  assert.ok(isSameTest("4.9 ${kind}: the first name wins", "4.9 VirtualService: the first name wins"));
  assert.ok(isSameTest("4.9 VirtualService: the first name wins", "4.9 ${kind}: the first name wins"));
  assert.ok(!isSameTest("4.9 ${kind}: the first name wins", "4.9 VirtualService: the last name wins"));
  assert.ok(isSameTest("4.1.3 the rule {} matches", "4.1.3 the rule {} matches"));
});

test("a branch is turned where it stands once, and nowhere else", () => {
  const source = "if (a > b) return a;";
  const cases: [Turn, RegExp | undefined][] = [
    [["x.ts", "a > b", "a < b"], undefined],
    [["x.ts", "a >= b", "a < b"], /stands there 0 times, not once/],
    [["x.ts", "a", "b"], /stands there 2 times, not once/],
    [["x.ts", "a > b", "a > b"], /is turned into itself/],
  ];
  for (const [turn, expected] of cases) {
    const problem = turnProblem(source, turn);
    if (expected === undefined) assert.equal(problem, undefined);
    else assert.match(problem ?? "", expected);
  }
  assert.equal(turnRound(source, ["x.ts", "a > b", "`$&${b}`"]), "if (`$&${b}`) return a;");
  assert.throws(() => turnRound(source, ["x.ts", "a", "b"]));
});

test("each branch that npm run test:rules turns round stands in its source, once, and its test exists", () => {
  const proofs = TestProofs.below(new URL("../", import.meta.url));
  const problems = listTurned(ruleTables).flatMap(({ proof, turn }) => {
    const source = readFileSync(new URL(`../packages/${turn[0]}`, import.meta.url), "utf8");
    const problem = proofs.problem(proof) ?? turnProblem(source, turn);
    return problem === undefined ? [] : [`${proof}: ${problem}`];
  });
  assert.deepEqual(problems, []);
});

test("only an assertion proves something", () => {
  const failing = (...errors: string[]) => ({
    passed: 0,
    failures: errors.map((error) => ({ title: "4.9 x", line: 1, error })),
  });
  assert.equal(verdict(failing("AssertionError [ERR_ASSERTION]: 1 !== 2")), undefined);
  assert.equal(verdict(failing("TypeError: no", "AssertionError [ERR_ASSERTION]: 1 !== 2")), undefined);
  assert.match(verdict(failing("TypeError: no\n  at x")) ?? "", /by no assertion: TypeError: no$/);
  assert.match(verdict(failing("ended with code 1")) ?? "", /by no assertion: ended with code 1/);
  assert.match(verdict({ passed: 1, failures: [] }) ?? "", /passes with the branch turned/);
  assert.match(verdict({ passed: 0, failures: [] }) ?? "", /no such test ran/);
});

test("the branches of one title are listed each with the test that notices", () => {
  const [first, second] = [
    ["x.ts", "a", "b"],
    ["x.ts", "c", "d"],
  ] as const;
  assert.deepEqual(listTurned([{ tests: "x.test.ts", branches: { "4.9 x": [first, second] } }]), [
    { proof: "x.test.ts › 4.9 x", title: "4.9 x", turn: first },
    { proof: "x.test.ts › 4.9 x", title: "4.9 x", turn: second },
  ]);
});

test("a turned branch reaches the test; one that does not parse proves nothing", async () => {
  const of = async (branch: string, turned: string) => {
    const turn = JSON.stringify(["api/src/age.ts", branch, turned]);
    const proof = "packages/api/src/age.test.ts › 4.9: of the same age the name decides, then the namespace";
    return verdict(
      await runProof(proof, new URL("./with-turned-branch.ts", import.meta.url), { HEDDLE_TURNED_BRANCH: turn }),
    );
  };
  const name = "compareText(a.metadata.name, b.metadata.name)";
  assert.equal(await of(name, "compareText(b.metadata.name, a.metadata.name)"), undefined);
  assert.match((await of(name, "compareText(")) ?? "", /by no assertion/);
  assert.match((await of('never = "~"', 'never = "z"')) ?? "", /passes with the branch turned/);
});
