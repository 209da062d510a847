import { readFile } from "node:fs/promises";
import type { ProxyOptions } from "../options/options.ts";
import { exitCodes } from "@heddle/core";
import type { BootstrapConfig, BootstrapProblem } from "./bootstrap.ts";
import { readBootstrap } from "./read.ts";
import { readCanonicalJson } from "./source.ts";

export type LoadedBootstrap =
  | { readonly bootstrap: BootstrapConfig }
  | { readonly bootstrap: undefined; readonly report: readonly string[]; readonly exitCode: number };

/** Reads the bootstrap that the options name; the report says what is wrong, where, and what to do. */
export async function loadBootstrap(
  options: Pick<ProxyOptions, "configPath" | "configYaml">,
): Promise<LoadedBootstrap> {
  const file = options.configPath ?? "--config-yaml";
  let text = options.configYaml ?? "";
  if (options.configPath !== undefined) {
    try {
      text = await readFile(options.configPath, "utf8");
    } catch (error) {
      const report = [`the bootstrap ${file} cannot be read: ${(error as Error).message}`];
      return { bootstrap: undefined, report, exitCode: exitCodes.usage };
    }
  }
  const json = readCanonicalJson(text);
  // The YAML library is a good part of what a start takes.
  const parsed = json === undefined ? (await import("./parse.ts")).parseBootstrap(text) : readBootstrap(json);
  if (parsed.config !== undefined) return { bootstrap: parsed.config };
  return {
    bootstrap: undefined,
    report: parsed.problems.map((problem) => formatProblem(file, problem)),
    exitCode: exitCodes.findings,
  };
}

/** `envoy.yaml:12: static_resources.listeners[0].foo: … Hint.` */
function formatProblem(file: string, { line, path, message, hint }: BootstrapProblem): string {
  const where = line > 0 ? `${file}:${line}` : file;
  const said = `${where}: ${path === "" ? "" : `${path}: `}${message}`;
  // Where they come from some are whole sentences, and some are not.
  return hint === "" ? said : `${said.replace(/\.$/, "")}. ${hint.charAt(0).toUpperCase()}${hint.slice(1)}`;
}
