import { errorEntry } from "@heddle/core";

/** A state file that a newer Heddle wrote. To write over it would lose what it holds, so whoever finds it does not start. */
export class StateIsNewer extends Error {
  readonly code = "state_file_newer";

  /**
   * @param found format version of the file
   * @param known the newest format version that this Heddle understands
   */
  constructor(path: string, found: number, known: number) {
    super(
      `${path} has format version ${found}, newer than this Heddle knows (${known}). ${errorEntry("state_file_newer").hint}`,
    );
  }
}
