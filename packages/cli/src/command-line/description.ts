import { Option } from "commander";
import { outputFormats } from "../output/data.ts";

/** Told the exit code of the command that ran. */
export type OnExitCode = (code: number) => void;

/** `--output table|json|yaml`, the same in every command that prints data. */
export function outputOption(): Option {
  return new Option("-o, --output <format>", "how to print the result").choices(outputFormats).default("table");
}

/** The end of every command's help. */
export function exampleText(...examples: readonly string[]): string {
  return `\nExample${examples.length === 1 ? "" : "s"}:\n${examples.map((line) => `  $ ${line}\n`).join("")}`;
}

/** `--mesh <folder>`, the same in every command that asks a running mesh. */
export function meshOption(): Option {
  return new Option("-m, --mesh <folder>", "folder of the running mesh; default: looked for from here upward");
}
