import { Command } from "commander";
import type { OutputFormat } from "../output/data.ts";
import { exampleText, meshOption, outputOption } from "./description.ts";
import type { OnExitCode } from "./description.ts";

export function proxyStatusCommand(onExitCode: OnExitCode): Command {
  return new Command("proxy-status")
    .description("show which proxies of a running mesh are connected, and what each has accepted")
    .addOption(meshOption())
    .addOption(outputOption())
    .addHelpText("after", exampleText("heddle proxy-status", "heddle proxy-status --mesh my-folder --output json"))
    .action(async (options: { mesh?: string; output: OutputFormat }) => {
      const { proxyStatus } = await import("../proxy-status/proxy-status.ts");
      onExitCode(await proxyStatus(options));
    });
}
