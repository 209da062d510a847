import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Path of a program on the PATH, or where Debian keeps servers, which is not on every user's PATH; undefined: there is none. */
export function findProgram(name: string): string | undefined {
  for (const folder of [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin"]) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}
