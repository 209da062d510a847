import type { CommandWords, OptionWords, ProgramWords, Values } from "./words.ts";

/** A script for bash 3.2 and newer that needs no other package. */
export function bashScript({ name, options, commands }: ProgramWords): string {
  const own = [...commands.map((command) => command.name), ...optionNames(options)];
  return `# bash completion for ${name}: source <(${name} completion bash)
_${name}() {
  local IFS=$'\\n' current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command= index
  # "--output=json" arrives as three words.
  if [[ $current == "=" ]]; then
    current=
  elif [[ $previous == "=" ]]; then
    previous=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    if [[ \${COMP_WORDS[index]} != -* ]]; then
      command=\${COMP_WORDS[index]}
      break
    fi
  done
  COMPREPLY=()
  case $command:$previous in
${commands.flatMap((command) => command.options.flatMap((option) => valueCase(command, option))).join("")}  esac
  case $command in
  "") ${reply(words(own))} ;;
${commands.map(commandCase).join("")}  esac
}
complete -F _${name} ${name}
`;
}

function valueCase(command: CommandWords, option: OptionWords): string[] {
  if (option.value === undefined) return [];
  const patterns = optionNames([option]).map((flag) => `${command.name}:${flag}`);
  return [`  ${patterns.join(" | ")})\n    ${replyValues(option.value)}\n    return\n    ;;\n`];
}

function commandCase(command: CommandWords): string {
  const values = command.arguments.map(({ value }) => replyValues(value))[0] ?? ":";
  return `  ${command.name})
    if [[ $current == -* ]]; then
      ${reply(words(optionNames(command.options)))}
    else
      ${values}
    fi
    ;;
`;
}

function replyValues(value: Values): string {
  switch (value.kind) {
    case "choices":
      return reply(words(value.choices));
    case "files":
      return `compopt -o filenames 2>/dev/null || :\n    ${reply("-f")}`;
    case "folders":
      return `compopt -o filenames 2>/dev/null || :\n    ${reply("-d")}`;
    case "text":
      return ":";
  }
}

function reply(generator: string): string {
  return `COMPREPLY=($(compgen ${generator} -- "$current"))`;
}

function words(list: readonly string[]): string {
  return `-W $'${list.join("\\n")}'`;
}

function optionNames(options: readonly OptionWords[]): string[] {
  return options.flatMap(({ short, long }) => (short === undefined ? [long] : [short, long]));
}
