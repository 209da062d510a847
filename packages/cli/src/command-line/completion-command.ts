import { Argument, Command } from "commander";
import { exampleText } from "./description.ts";
import type { OnExitCode } from "./description.ts";

const symlinkText = `
The scripts complete the word heddle, not npx heddle. To have it on the PATH, from the folder of the clone:
  $ ln -s "$PWD/node_modules/.bin/heddle" ~/.local/bin/
`;

export function completionCommand(onExitCode: OnExitCode): Command {
  return new Command("completion")
    .description("print a completion script for a shell")
    .addArgument(new Argument("<shell>", "the shell that it is for").choices(["bash", "zsh", "fish"]))
    .addHelpText(
      "after",
      exampleText(
        "source <(npx heddle completion bash)",
        'npx heddle completion zsh > "${fpath[1]}/_heddle"',
        "npx heddle completion fish > ~/.config/fish/completions/heddle.fish",
      ) + symlinkText,
    )
    .action(async (shell: "bash" | "zsh" | "fish", _options: unknown, command: Command) => {
      const { printCompletion } = await import("../completion/completion.ts");
      onExitCode(printCompletion(shell, command.parent as Command));
    });
}
