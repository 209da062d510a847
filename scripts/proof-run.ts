// What prove-fields.ts and prove-rules.ts have in common: a proof, `file.test.ts › title`, is run while what it proves is changed.
import { runTestFile, type TestFileResult } from "./test-file.ts";
import { titlePattern } from "./test-titles.ts";

/**
 * Runs the test of a proof alone; of a title that is a template, all its rows.
 *
 * @param preload module that is imported before the test, in its process and in all that it starts
 * @param environment what the module reads
 */
export function runProof(
  proof: string,
  preload: URL,
  environment: Readonly<Record<string, string>>,
): Promise<TestFileResult> {
  const [file = "", ...titles] = proof.split(" › ");
  return runTestFile(file, {
    limitMs: 60_000,
    graceMs: 200, // what fails leaves processes behind, and need not be waited for
    only: titlePattern(titles.at(-1) ?? "").source,
    environment: { ...environment, NODE_OPTIONS: `--import=${preload.href}` },
  });
}

/** Takes the items in their order, two at once. */
export async function forEachOfTwo<Item>(items: readonly Item[], take: (item: Item) => Promise<void>): Promise<void> {
  const waiting = [...items];
  await Promise.all(
    Array.from({ length: 2 }, async () => {
      for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await take(item);
    }),
  );
}
