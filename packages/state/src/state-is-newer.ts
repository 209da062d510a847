import { errorEntry } from "@heddle/core";

/** A state file that a newer Heddle wrote: nothing may be written over it, so the proxy does not start. */
export class StateIsNewer extends Error {
  readonly code = "state_file_newer";

  constructor(path: string, found: number, known: number) {
    const { text, hint } = errorEntry("state_file_newer");
    super(`${text}: ${path} has format ${found}, this version knows ${known}. ${hint}`);
  }
}
