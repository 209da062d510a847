import type { Argument, Command, Option } from "commander";

/** What may stand at one place of a command line. */
export type Values =
  | { readonly kind: "choices"; readonly choices: readonly string[] }
  | { readonly kind: "files" | "folders" | "text" };

export interface OptionWords {
  /** `-o`; undefined when there is none. */
  readonly short: string | undefined;
  readonly long: string;
  readonly description: string;
  readonly isRepeatable: boolean;
  /** undefined: a flag. */
  readonly value: Values | undefined;
}

export interface CommandWords {
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionWords[];
  readonly arguments: readonly { readonly name: string; readonly isList: boolean; readonly value: Values }[];
}

/** The command tree in the words that a completion script needs. */
export interface ProgramWords {
  readonly name: string;
  readonly options: readonly OptionWords[];
  readonly commands: readonly CommandWords[];
}

export function wordsOf(program: Command): ProgramWords {
  const help = program.createHelp();
  const commands = program.commands.map((command) => describe(command, help.visibleOptions(command)));
  const names: Values = { kind: "choices", choices: commands.map(({ name }) => name) };
  return {
    name: program.name(),
    options: help.visibleOptions(program).map(optionWords),
    commands: [
      ...commands,
      {
        name: "help",
        description: "print help for a command",
        options: [],
        arguments: [{ name: "command", isList: false, value: names }],
      },
    ],
  };
}

function describe(command: Command, options: readonly Option[]): CommandWords {
  return {
    name: command.name(),
    description: command.description(),
    options: options.map(optionWords),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      isList: argument.variadic,
      value: valuesOf(argument.name(), argument),
    })),
  };
}

function optionWords(option: Option): OptionWords {
  const name = /[<[](.+)[>\]]/.exec(option.flags)?.[1];
  return {
    short: option.short,
    long: option.long ?? option.flags,
    description: option.description,
    isRepeatable: Array.isArray(option.defaultValue),
    value: name === undefined ? undefined : valuesOf(name, option),
  };
}

/** What a value is, from its choices, else from the name that the help gives it. */
function valuesOf(name: string, { argChoices }: Pick<Argument | Option, "argChoices">): Values {
  if (argChoices !== undefined) return { kind: "choices", choices: argChoices };
  if (name.startsWith("file")) return { kind: "files" };
  return { kind: name.startsWith("folder") ? "folders" : "text" };
}
