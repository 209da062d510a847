import { Command, Option } from "commander";
import type { OutputFormat } from "../output/data.ts";
import { exampleText, outputOption } from "./description.ts";
import type { OnExitCode } from "./description.ts";

export interface ExplainOptions {
  readonly from: string;
  readonly header: readonly string[];
  readonly folder: string;
  readonly output: OutputFormat;
}

export function explainCommand(onExitCode: OnExitCode): Command {
  return new Command("explain")
    .description("say what would happen to a request, from the files alone")
    .usage("<method> <url> --from <workload> [options]")
    .argument("<method>", "GET, POST, …")
    .argument("<url>", "http://reviews:9080/reviews/1; a path alone is enough with --from edge")
    .requiredOption("--from <workload>", "who sends the request: a workload of the LocalMesh, or edge")
    .addOption(
      new Option("-H, --header <header>", "a header of the request, 'name: value'; may be repeated")
        .argParser((value: string, before: readonly string[]) => [...before, value])
        .default([], "none"),
    )
    .option("-f, --folder <folder>", "folder with the LocalMesh and the resources", ".")
    .addOption(outputOption())
    .addHelpText(
      "after",
      exampleText(
        "heddle explain GET http://reviews:9080/reviews/1 --from web --folder examples/bookshop",
        "heddle explain DELETE http://books:9080/books/1 --from web --folder examples/bookshop --output json",
      ) + "\nExit code 0 when the request would be forwarded, 1 when the mesh itself would answer with an error.\n",
    )
    .action(async (method: string, url: string, options: ExplainOptions) => {
      const { explain } = await import("../explain/explain.ts");
      onExitCode(await explain(method, url, options));
    });
}
