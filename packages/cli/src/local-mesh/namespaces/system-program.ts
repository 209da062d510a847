import { accessSync, constants } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";

/** Where most systems keep what an administrator runs; the PATH of a plain user may lack it, and that of npx say something else first. */
const systemFolders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

const found = new Map<string, string>();

/** Folders in which programs are looked for that run as root: those where no plain user may write, then the absolute ones of this process's PATH. */
function folders(): string[] {
  return [...systemFolders, ...(process.env["PATH"] ?? "").split(delimiter).filter((folder) => isAbsolute(folder))];
}

/** The environment of a program that runs as root and looks others up itself. */
export function systemEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: folders().join(delimiter) };
}

/**
 * Absolute path of a program of the system, which is run as root.
 *
 * @returns undefined: there is none
 */
export function findSystemProgram(name: string): string | undefined {
  const known = found.get(name);
  if (known !== undefined) return known;
  const path = folders()
    .map((folder) => join(folder, name))
    .find(isProgram);
  if (path !== undefined) found.set(name, path);
  return path;
}

/** As `findSystemProgram`. One that is missing, and whatever has a path already, stays as it is: the system says what is wrong. */
export function systemProgram(name: string): string {
  return isAbsolute(name) ? name : (findSystemProgram(name) ?? name);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Not there, or not a program.
    return false;
  }
}
