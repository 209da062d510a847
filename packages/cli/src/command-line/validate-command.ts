import { Command, Option } from "commander";
import type { OutputFormat } from "../output/data.ts";
import { exampleText, outputOption } from "./description.ts";
import type { OnExitCode } from "./description.ts";

export function validateCommand(onExitCode: OnExitCode): Command {
  return new Command("validate")
    .description("check resource files without running them")
    .argument("<files or folders...>", "YAML or JSON files, or folders of them; all are judged together")
    .addOption(outputOption())
    .addOption(
      new Option("--fail-on <severity>", "lowest severity that makes the exit code 3")
        .choices(["error", "warning", "info"])
        .default("error"),
    )
    .addHelpText(
      "after",
      exampleText("heddle validate examples/bookshop", "heddle validate mesh/*.yaml --fail-on warning --output json"),
    )
    .action(async (paths: string[], options: { output: OutputFormat; failOn: "error" | "warning" | "info" }) => {
      const { validate } = await import("../validate/validate.ts");
      onExitCode(await validate(paths, options));
    });
}
