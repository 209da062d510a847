import { Command, InvalidArgumentError, Option } from "commander";
import type { MeshMode } from "@heddle/api";
import { checkNames } from "../demo/check-names.ts";
import type { CheckName } from "../demo/check-names.ts";
import type { OutputFormat } from "../output/data.ts";
import { exampleText, modeOption, outputOption } from "./description.ts";
import type { OnExitCode } from "./description.ts";

export interface DemoOptions {
  readonly mode: MeshMode | undefined;
  readonly check: boolean;
  readonly only: readonly CheckName[];
  readonly sabotage: readonly CheckName[];
  readonly port: number;
  readonly output: OutputFormat;
}

export function demoCommand(onExitCode: OnExitCode): Command {
  return new Command("demo")
    .description("run a bookshop with traffic and a live table, or check it")
    .option("--check", "run unattended for about 30 seconds, check everything, and exit with 0 or 1")
    .setOptionValue("check", false)
    .addOption(
      new Option("--only <check>", "with --check: only this one; may be repeated")
        .choices(checkNames)
        .argParser(collect)
        .default([], "all"),
    )
    .addOption(
      new Option("--sabotage <check>", "with --check: break this on purpose, to see its line turn ×; may be repeated")
        .choices(checkNames)
        .argParser(collect)
        .default([], "none"),
    )
    .option("-p, --port <port>", "port of the edge on 127.0.0.1; 0 for any free one", parsePort, 8080)
    .addOption(modeOption())
    .addOption(outputOption())
    .addHelpText(
      "after",
      exampleText(
        "heddle demo",
        "heddle demo --mode namespaces --check",
        "heddle demo --check --output json",
        "heddle demo --check --sabotage reload",
      ),
    )
    .action(async (options: DemoOptions, command: Command) => {
      if (!options.check && (options.only.length > 0 || options.sabotage.length > 0 || options.output !== "table")) {
        command.error("--only, --sabotage and --output need --check");
      }
      const leftOut = options.sabotage.filter((name) => options.only.length > 0 && !options.only.includes(name));
      if (leftOut.length > 0)
        command.error(`--sabotage ${leftOut.join(", ")}: --only leaves this check out, so nothing would show it`);
      const { demo } = await import("../demo/demo.ts");
      onExitCode(await demo(options));
    });
}

function collect(value: string, before: readonly CheckName[]): CheckName[] {
  const name = checkNames.find((candidate) => candidate === value);
  if (name === undefined) throw new InvalidArgumentError(`Allowed choices are ${checkNames.join(", ")}.`);
  return [...before, name];
}

function parsePort(value: string): number {
  const port = Number(value);
  if (!/^\d{1,5}$/.test(value) || port > 65_535) throw new InvalidArgumentError("It is a number from 0 to 65535.");
  return port;
}
