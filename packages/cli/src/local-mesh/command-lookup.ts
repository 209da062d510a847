import { access, constants, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import type { MeshPlan, PlannedInstance } from "./plan.ts";

/** Folder in which a replica's application runs. */
export function workingFolder(instance: PlannedInstance, folder: string): string {
  if (instance.workingDir === undefined) return folder;
  return isAbsolute(instance.workingDir) ? instance.workingDir : join(folder, instance.workingDir);
}

export interface MissingCommand {
  readonly workload: string;
  readonly command: string;
  /** `mesh.yaml:12` */
  readonly place: string;
  readonly reason: string;
}

/** Workloads whose program cannot be started, each once. Nothing is run. */
export async function findMissingCommands(
  plan: MeshPlan,
  folder: string,
  env: NodeJS.ProcessEnv,
): Promise<MissingCommand[]> {
  const workloads = new Map(plan.instances.map((instance) => [instance.place, instance]));
  const checked = [...workloads.values()].map(async (instance) => {
    const command = instance.command[0] ?? "";
    const reason = await problemOf(command, workingFolder(instance, folder), instance.env["PATH"] ?? env["PATH"] ?? "");
    return reason === undefined ? [] : [{ workload: instance.workload, command, place: instance.place, reason }];
  });
  return (await Promise.all(checked)).flat();
}

/** POSIX: a name with a slash is a path, any other is looked for in PATH; both as seen from the working folder. */
async function problemOf(command: string, cwd: string, path: string): Promise<string | undefined> {
  if (!(await isFolder(cwd))) return `its folder ${cwd} does not exist`;
  if (command.includes("/")) {
    const file = isAbsolute(command) ? command : join(cwd, command);
    return (await isProgram(file)) ? undefined : `there is no program at ${file}`;
  }
  for (const entry of path.split(delimiter)) {
    if (await isProgram(join(isAbsolute(entry) ? entry : join(cwd, entry), command))) return undefined;
  }
  return "no folder of PATH holds it";
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

async function isProgram(path: string): Promise<boolean> {
  if (!((await stat(path).catch(() => undefined))?.isFile() ?? false)) return false;
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
