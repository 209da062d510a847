import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * Writes a page below docs/; with --check among the process' arguments it writes nothing and sets exit code 1 when the page is another.
 *
 * @param page path from the repository's root
 * @param generator the script to run, for the message
 */
export function writeOrCheckPage(page: string, generator: string, expected: string): void {
  const path = fileURLToPath(new URL(`../${page}`, import.meta.url));
  if (!process.argv.includes("--check")) writeFileSync(path, expected);
  else if (current(path) !== expected) {
    console.error(`${page} is out of date: run node ${generator}`);
    process.exitCode = 1;
  }
}

function current(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}
