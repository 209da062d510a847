import type { CommandWords, OptionWords, ProgramWords, Values } from "./words.ts";

export function zshScript({ name, options, commands }: ProgramWords): string {
  return `#compdef ${name}
# zsh completion for ${name}: ${name} completion zsh > "\${fpath[1]}/_${name}"
_${name}() {
  local state line
  typeset -A opt_args
  local -a commands=(
${commands.map((command) => `    ${quote(`${command.name}:${command.description}`)}\n`).join("")}  )
  _arguments -C ${options.flatMap(optionSpecs).map(quote).join(" ")} '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $words[1] in
${commands.map(commandCase).join("")}      esac
      ;;
  esac
}
if [[ $funcstack[1] == _${name} ]]; then
  _${name} "$@"
else
  compdef _${name} ${name}
fi
`;
}

function commandCase(command: CommandWords): string {
  const specs = [
    ...command.options.flatMap(optionSpecs),
    ...command.arguments.map(
      ({ name, isList, value }, index) => `${isList ? "*" : index + 1}:${plain(name)}:${action(value)}`,
    ),
  ];
  return `        ${command.name}) _arguments ${specs.map(quote).join(" ")} ;;\n`;
}

function optionSpecs(option: OptionWords): string[] {
  const { short, long, description, isRepeatable, value } = option;
  const names = short === undefined ? [long] : [short, long];
  const once = isRepeatable ? "*" : `(${names.join(" ")})`;
  const argument = value === undefined ? "" : `:${plain(long.slice(2))}:${action(value)}`;
  // zsh needs "=" for --name=value, too.
  return names.map(
    (flag) => `${once}${flag}${value !== undefined && flag === long ? "=" : ""}[${plain(description)}]${argument}`,
  );
}

function action(value: Values): string {
  switch (value.kind) {
    case "choices":
      return `(${value.choices.join(" ")})`;
    case "files":
      return "_files";
    case "folders":
      return "_files -/";
    case "text":
      return " ";
  }
}

/** Without the characters that mean something in a spec of _arguments. */
function plain(text: string): string {
  return text.replaceAll(/[[\]\\]/g, "").replaceAll(":", "\\:");
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
