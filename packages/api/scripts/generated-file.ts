import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Writes a file of the repository; with --check compares instead, and exits 1 when what is there is not what would be written. */
export function writeOrCheck(name: string, expected: string, generator: string): void {
  const path = fileURLToPath(new URL(`../../../${name}`, import.meta.url));
  if (!process.argv.includes("--check")) {
    writeFileSync(path, expected);
    return;
  }
  if (current(path) === expected) return;
  console.error(`${name} is out of date: run node ${generator}`);
  process.exitCode = 1;
}

function current(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

/** A text in a cell of a Markdown table. */
export function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
}
