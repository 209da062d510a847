import { Argument, Command } from "commander";
import { exampleText } from "./description.ts";
import type { OnExitCode } from "./description.ts";

export function completionCommand(onExitCode: OnExitCode): Command {
  return new Command("completion")
    .description("print a completion script for a shell")
    .addArgument(new Argument("<shell>").choices(["bash", "zsh", "fish"]))
    .addHelpText(
      "after",
      exampleText(
        "source <(heddle completion bash)",
        'heddle completion zsh > "${fpath[1]}/_heddle"',
        "heddle completion fish > ~/.config/fish/completions/heddle.fish",
      ),
    )
    .action(async (shell: "bash" | "zsh" | "fish", _options: unknown, command: Command) => {
      const { printCompletion } = await import("../completion/completion.ts");
      onExitCode(printCompletion(shell, command.parent as Command));
    });
}
