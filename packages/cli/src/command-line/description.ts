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

/** `--mode ports|namespaces`, the same in every command that runs a mesh. */
export function modeOption(): Option {
  const text =
    "how traffic gets into the mesh: by ports of each proxy, or by redirection in a network namespace for each replica (Linux, root); default: what the LocalMesh says, else the best that is possible";
  return new Option("--mode <mode>", text).choices(["ports", "namespaces"]);
}

/** `--mesh <folder>`, the same in every command that asks a running mesh. */
export function meshOption(): Option {
  return new Option("-m, --mesh <folder>", "folder of the running mesh; default: looked for from here upward");
}
