// npm run test:rules                 every branch in scripts/rules/ is turned round, and the test with its rule's number must fail by an assertion
// npm run test:rules -- 4.1 4.3.2    only rules whose number begins with one of those
// A test with a number that no branch is listed for is proven by nothing. Exits 1 when something is not proven.
import { globSync, readFileSync } from "node:fs";
import { parseArgs, styleText } from "node:util";
import { forEachOfTwo, runProof } from "./proof-run.ts";
import { rulesOfOurKinds, ruleTables } from "./rules/tables.ts";
import { runTestFile } from "./test-file.ts";
import { TestProofs } from "./test-proofs.ts";
import { testTitles } from "./test-titles.ts";
import { isSameTest, listTurned, ruleNumber, type Turned, turnProblem, verdict } from "./turned-branch.ts";

const { positionals } = parseArgs({ allowPositionals: true });
const preload = new URL("./with-turned-branch.ts", import.meta.url);
const proofs = TestProofs.below(new URL("../", import.meta.url));

const turned = listTurned(ruleTables);
const start = performance.now();
let proven = 0;
let notProven = 0;

function isChosen(rule: string | undefined): boolean {
  if (rule === undefined) return false;
  return positionals.length === 0 || positionals.some((number) => rule === number || rule.startsWith(`${number}.`));
}

function tell(problem: string | undefined, what: string): void {
  if (problem === undefined) proven++;
  else notProven++;
  console.log(
    problem === undefined ? `${styleText("green", "√")} ${what}` : `${styleText("red", "×")} ${what}: ${problem}`,
  );
}

const whole = new Map<string, Promise<string | undefined>>();

/** What fails in a test file as it is; it runs once. */
function wholeProblem(file: string): Promise<string | undefined> {
  const known = whole.get(file);
  if (known !== undefined) return known;
  const running = runTestFile(file, { limitMs: 120_000 }).then(({ failures }) =>
    failures[0] === undefined ? undefined : `${file} fails with nothing turned: ${failures[0].title}`,
  );
  whole.set(file, running);
  return running;
}

async function problemOf({ proof, turn }: Turned): Promise<string | undefined> {
  const unprovable = proofs.problem(proof) ?? turnProblem(readFileSync(`packages/${turn[0]}`, "utf8"), turn);
  if (unprovable !== undefined) return unprovable;
  const [file = ""] = proof.split(" › ");
  const broken = await wholeProblem(file);
  if (broken !== undefined) return broken;
  return verdict(await runProof(proof, preload, { HEDDLE_TURNED_BRANCH: JSON.stringify(turn) }));
}

/** Tests whose title begins with a rule's number and for which no branch is listed. */
function numberedTests(): { file: string; title: string }[] {
  return globSync("packages/*/src/**/*.test.ts").flatMap((file) => {
    const source = readFileSync(file, "utf8");
    if (!/["'`]4\.\d/.test(source)) return [];
    return testTitles(source).map((path) => ({ file, title: path.at(-1) ?? "" }));
  });
}

for (const rule of rulesOfOurKinds.filter(isChosen))
  if (!turned.some(({ title }) => ruleNumber(title) === rule)) tell("no branch is listed for it", `rule ${rule}`);
for (const { file, title } of numberedTests().filter((test) => isChosen(ruleNumber(test.title)))) {
  if (turned.some(({ proof, title: listed }) => proof.startsWith(`${file} › `) && isSameTest(listed, title))) continue;
  tell("no branch is listed for it", `${file} › ${title}`);
}
for (const { proof, title } of turned)
  if (ruleNumber(title) === undefined) tell("its title does not begin with a rule's number", proof);

const chosen = turned.filter(({ title }) => isChosen(ruleNumber(title)));
await forEachOfTwo(chosen, async (entry) => {
  const [file, branch, by] = entry.turn;
  tell(await problemOf(entry), `${entry.title} ‹ ${file}: ${oneLine(branch)} → ${oneLine(by)}`);
});

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}

const seconds = ((performance.now() - start) / 1000).toFixed(1);
console.log(`${proven} proven, ${notProven} not, ${seconds} s`);
if (chosen.length === 0) {
  console.log(`no rule has a number that begins with ${positionals.join(" or ")}`);
  process.exitCode = 2;
} else if (notProven > 0) process.exitCode = 1;
