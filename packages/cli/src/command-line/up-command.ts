import { Command } from "commander";
import type { MeshMode } from "@heddle/api";
import { exampleText, modeOption } from "./description.ts";
import type { OnExitCode } from "./description.ts";

export interface UpOptions {
  readonly mode: MeshMode | undefined;
  readonly verbose: boolean;
}

export function upCommand(onExitCode: OnExitCode): Command {
  return new Command("up")
    .description("run a folder's services as a mesh on this machine")
    .argument("<folder>", "folder with one LocalMesh and any number of resources")
    .addOption(modeOption())
    .option("-v, --verbose", "print everything that proxies and control plane write, access logs included")
    .setOptionValue("verbose", false)
    .addHelpText(
      "after",
      exampleText("heddle up examples/bookshop") +
        "\nState is kept in <folder>/.heddle; logs of every process stand in <folder>/.heddle/logs.\n",
    )
    .action(async (folder: string, options: UpOptions) => {
      const { up } = await import("../up/up.ts");
      onExitCode(await up(folder, options));
    });
}
