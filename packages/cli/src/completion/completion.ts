import type { Command } from "commander";
import { exitCodes } from "@heddle/core";
import { bashScript } from "./bash.ts";
import { fishScript } from "./fish.ts";
import { wordsOf } from "./words.ts";
import { zshScript } from "./zsh.ts";

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** Prints the completion script of one shell, made from the whole command tree. */
export function printCompletion(shell: keyof typeof scripts, program: Command): number {
  process.stdout.write(scripts[shell](wordsOf(program)));
  return exitCodes.fine;
}
