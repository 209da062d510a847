import { spawn } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Reads the end of its pipe when `heddle` ends, however it ends, and then removes the folder; what still writes there is ending, too. */
const guard = `
trap '' TERM INT HUP
read -r line <&3
round=0
while [ "$round" -lt 20 ]; do
  rm -rf -- "$1"
  sleep 0.1
  round=$((round + 1))
done
rm -rf -- "$1"
`;

const bookshop = fileURLToPath(new URL("../../../../examples/bookshop", import.meta.url));

/** A copy of the bookshop in a temporary folder that is gone when `remove` has been called, or this process has ended by whatever means. */
export interface Workspace {
  /** The folder with mesh.yaml. */
  readonly folder: string;
  remove(): Promise<void>;
}

export async function createWorkspace(): Promise<Workspace> {
  const root = await mkdtemp(join(tmpdir(), "heddle-demo-"));
  const child = spawn("/bin/sh", ["-c", guard, "heddle-demo-guard", root], {
    // A process group of its own: Ctrl-C is not for it.
    detached: true,
    cwd: "/",
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  // Without a guard the folder is still removed in the ordinary ways of ending.
  child.on("error", () => undefined);
  child.unref();
  for (const stream of child.stdio) (stream as { unref?: () => void } | null)?.unref?.();
  const folder = join(root, "bookshop");
  await cp(bookshop, folder, {
    recursive: true,
    filter: (source) => ![".heddle", "node_modules"].includes(basename(source)),
  });
  // Beside the folder with the resources, since every .json in it is taken for one.
  await writeFile(join(root, "package.json"), '{ "type": "module" }\n');
  return {
    folder,
    remove: async () => {
      await rm(root, { recursive: true, force: true });
      child.kill("SIGKILL");
    },
  };
}
