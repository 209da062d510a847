import { join, resolve } from "node:path";
import { findRun, readRunFile, stateFolderName } from "@heddle/control-plane";
import { exitCodes } from "@heddle/core";
import { AdminClient, AdminRefused, AdminUnreachable } from "./local-mesh/admin-client.ts";
import { UserProblem } from "./user-problem.ts";

/**
 * What `ask` gets from the running mesh of a folder, or, without one, of the working folder or the nearest above it that has one
 * (design §5). Rejects with a `UserProblem` when none runs there.
 *
 * @param folder that of `heddle up`, which holds the state folder
 */
export async function askRunningMesh<T>(
  folder: string | undefined,
  ask: (admin: AdminClient) => Promise<T>,
): Promise<T> {
  const begin = resolve(folder ?? ".");
  const found = await (folder === undefined ? findRun(begin) : readRunFile(join(begin, stateFolderName)));
  switch (found.kind) {
    case "absent":
      throw notRunning(begin, `no mesh runs here${folder === undefined ? ", nor in a folder above" : ""}`);
    case "unreadable":
      throw new UserProblem(`it cannot be told whether a mesh runs: ${found.reason}`, {
        where: found.path,
        hint: "Start the mesh again: heddle up writes the file anew.",
      });
    case "newer":
      throw new UserProblem(`format version ${found.formatVersion} is not known to this Heddle`, {
        where: found.path,
        hint: "Use the version that runs the mesh.",
      });
    case "found":
      try {
        return await ask(new AdminClient(found.run.adminAddress, found.run.token));
      } catch (error) {
        const { pid } = found.run;
        if (error instanceof AdminUnreachable)
          throw notRunning(found.path, `its control plane, process ${pid}, does not answer (${error.message})`);
        // Its port may be another program's by now.
        if (error instanceof AdminRefused)
          throw notRunning(found.path, `its control plane, process ${pid}, is not what answers (${error.message})`);
        throw error;
      }
  }
}

function notRunning(where: string, message: string): UserProblem {
  return new UserProblem(message, {
    where,
    hint: "Start it with heddle up <folder>, or name the folder of a running mesh with --mesh.",
    exitCode: exitCodes.unreachable,
  });
}
