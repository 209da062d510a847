import type { CommandWords, OptionWords, ProgramWords, Values } from "./words.ts";

export function fishScript({ name, options, commands }: ProgramWords): string {
  const lines = [
    `# fish completion for ${name}: ${name} completion fish > ~/.config/fish/completions/${name}.fish`,
    `complete -c ${name} -f`,
    ...options.map((option) => `complete -c ${name} -n __fish_use_subcommand ${optionWords(option)}`),
    ...commands.map(
      (command) => `complete -c ${name} -n __fish_use_subcommand -a ${command.name} -d ${quote(command.description)}`,
    ),
    ...commands.flatMap((command) => commandLines(name, command)),
  ];
  return `${lines.join("\n")}\n`;
}

function commandLines(program: string, command: CommandWords): string[] {
  const begin = `complete -c ${program} -n '__fish_seen_subcommand_from ${command.name}'`;
  const [first] = command.arguments;
  const values = first === undefined ? "" : argumentWords(first.value);
  return [
    ...command.options.map((option) => `${begin} ${optionWords(option)}`),
    ...(values === "" ? [] : [`${begin} ${values}`]),
  ];
}

function optionWords({ short, long, description, value }: OptionWords): string {
  const names = `${short === undefined ? "" : `-s ${short.slice(1)} `}-l ${long.slice(2)}`;
  return `${names} -d ${quote(description)}${value === undefined ? "" : ` ${valueWords(value)}`}`;
}

function valueWords(value: Values): string {
  switch (value.kind) {
    case "choices":
      return `-x -a ${quote(value.choices.join(" "))}`;
    case "files":
      return "-r -F";
    case "folders":
      return "-x -a '(__fish_complete_directories)'";
    case "text":
      return "-x";
  }
}

function argumentWords(value: Values): string {
  if (value.kind === "files") return "-F";
  if (value.kind === "text") return "";
  return value.kind === "choices" ? `-a ${quote(value.choices.join(" "))}` : "-a '(__fish_complete_directories)'";
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
