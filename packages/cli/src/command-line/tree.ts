import { Command } from "commander";
import type { OutputConfiguration } from "commander";
import type { OutputFormat } from "../output/data.ts";
import { formatProblem } from "../output/problem.ts";
import { UserProblem } from "../user-problem.ts";
import { heddleVersion } from "../version.ts";
import { completionCommand } from "./completion-command.ts";
import { controlPlaneCommand, proxyCommand } from "./daemon-commands.ts";
import { demoCommand } from "./demo-command.ts";
import { exampleText, outputOption } from "./description.ts";
import type { OnExitCode } from "./description.ts";
import { explainCommand } from "./explain-command.ts";
import { proxyStatusCommand } from "./proxy-status-command.ts";
import { upCommand } from "./up-command.ts";
import { validateCommand } from "./validate-command.ts";

/**
 * Every command with its options, in the order of `heddle help`. Describing a command loads nothing of it: actions import their
 * modules when they run. Completions are made from this tree.
 */
export function buildProgram(onExitCode: OnExitCode): Command {
  const program = new Command("heddle")
    .description(
      "A service mesh: mutual TLS, routing, retries and policies between services, from the resources of Istio.",
    )
    .version(heddleVersion(), "-V, --version", "print the version")
    .helpCommand("help [command]", "print help for a command")
    .helpOption("-h, --help", "print this help")
    .configureOutput(problemsWith("heddle help lists every command."))
    .configureHelp({ showGlobalOptions: false, sortSubcommands: false })
    .exitOverride();
  program.addHelpText("after", exampleText("heddle demo"));
  for (const command of [
    upCommand(onExitCode),
    demoCommand(onExitCode),
    validateCommand(onExitCode),
    explainCommand(onExitCode),
    proxyStatusCommand(onExitCode),
    proxyCommand(),
    controlPlaneCommand(),
    versionCommand(),
    completionCommand(onExitCode),
  ]) {
    // Help and errors look the same everywhere.
    command
      .copyInheritedSettings(program)
      .helpOption("-h, --help", "print this help")
      .configureOutput(
        problemsWith(`Usage: heddle ${command.name()} ${command.usage()}; heddle ${command.name()} --help says more.`),
      );
    program.addCommand(command);
  }
  return program;
}

/** A wrong command line is told like any other problem; commander begins with "error:", and ends with a guess in parentheses. */
function problemsWith(hint: string): OutputConfiguration {
  return {
    outputError: (text, write) => {
      const [message = "", guess] = text
        .replace(/^error: /, "")
        .trimEnd()
        .split("\n");
      const meant = guess === undefined ? "" : `${guess.slice(1, -1)} `;
      write(formatProblem(new UserProblem(message, { hint: `${meant}${hint}` })));
    },
  };
}

function versionCommand(): Command {
  return new Command("version")
    .description("print the version")
    .addOption(outputOption())
    .addHelpText("after", exampleText("heddle version", "heddle version --output json"))
    .action(async ({ output }: { output: OutputFormat }) => {
      const { formatData } = await import("../output/data.ts");
      const data = { version: heddleVersion(), node: process.versions.node };
      process.stdout.write(await formatData(output, data, () => `${data.version}\n`));
    });
}
