import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { startedAt } from "@heddle/state";
import { CommandFailed, runCommand } from "./command.ts";
import { systemEnvironment, systemProgram } from "./system-program.ts";

/** First word of the command line of every holder, by which the next run finds those that a killed one left. */
export const holderName = "heddle-namespace";

/**
 * Holds a namespace, which has no name and no file: it is there for as long as a process is in it. Descriptor 3 is a pipe from `heddle`;
 * when `heddle` ends, however it ends, the read returns, and whoever else is in the namespace is killed. Then the kernel takes
 * its interfaces, addresses and rules away. New processes may have come while it looked, so it looks until nobody is left.
 */
const holder = `
trap '' TERM INT HUP
own=$(stat -L -c %i /proc/self/ns/net)
echo ready
read -r line <&3
exec 3<&-
round=0
while [ "$round" -lt 100 ]; do
  others=$(stat -L -c '%i %n' /proc/[0-9]*/ns/net 2>/dev/null | sed -n "s|^$own /proc/\\([0-9]*\\)/.*|\\1|p" | grep -vx "$$")
  left=
  for pid in $others; do kill -KILL "$pid" 2>/dev/null && left=yes; done
  [ -z "$left" ] && break
  round=$((round + 1))
done
`;

/** A network (and mount) namespace of its own. */
export class NetworkNamespace {
  readonly #holder: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly pid: number;

  private constructor(child: ChildProcess, pid: number, ended: Promise<unknown>) {
    this.#holder = child;
    this.pid = pid;
    this.#ended = ended;
  }

  /** @throws CommandFailed (as a rejection) when this system does not allow it */
  static async open(): Promise<NetworkNamespace> {
    const owner = [String(process.pid), await startedAt(process.pid)];
    const child = spawn(
      systemProgram("unshare"),
      ["--net", "--mount", "--", systemProgram("sh"), "-c", holder, holderName, ...owner],
      {
        // A process group of its own: Ctrl-C is not for it.
        detached: true,
        cwd: "/",
        env: systemEnvironment(),
        stdio: ["ignore", "pipe", "pipe", "pipe"],
      },
    );
    const ended = once(child, "close").catch(() => undefined);
    let words = "";
    child.stderr?.on("data", (bytes: Buffer) => (words += bytes.toString()));
    const failed = new Promise<string>((resolve) => child.once("error", (error) => resolve(error.message)));
    const { stdout } = child;
    const ready = stdout === null ? Promise.resolve() : once(createInterface(stdout), "line");
    const problem = await Promise.race([ready.then(() => undefined), failed, ended.then(() => words.trim())]);
    if (problem !== undefined || child.pid === undefined) throw new CommandFailed(`unshare: ${problem ?? words}`);
    return new NetworkNamespace(child, child.pid, ended);
  }

  /** The command line that runs another inside. */
  enter(argv: readonly string[]): string[] {
    const [program = "", ...args] = argv;
    const inside = [`--target=${this.pid}`, "--net", "--mount", "--", systemProgram(program), ...args];
    return [systemProgram("nsenter"), ...inside];
  }

  /** @throws CommandFailed (as a rejection) */
  run(argv: readonly string[], input = ""): Promise<string> {
    return runCommand(this.enter(argv), input);
  }

  /**
   * Whether somebody inside listens on a TCP port. Nobody is connected to for it. A look is dear: for each table the kernel walks through the
   * connections of the whole machine (measured: 8 to 15 ms). First the one in which most servers are, which listen on `::`.
   */
  async hasListener(port: number): Promise<boolean> {
    for (const table of ["tcp6", "tcp"]) {
      try {
        if (listensIn(await readFile(`/proc/${this.pid}/net/${table}`, "utf8"), port)) return true;
      } catch {
        // The namespace is ending, or has no IPv6.
      }
    }
    return false;
  }

  /** Kills whoever is still inside and gives the namespace up, with all that is in it. */
  async close(): Promise<void> {
    (this.#holder.stdio[3] as { destroy?: () => void } | null | undefined)?.destroy?.();
    await this.#ended;
  }
}

/** proc_net_tcp(5): `sl local_address rem_address st`, the port in hexadecimal; state 0A is LISTEN. */
function listensIn(table: string, port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return table.split("\n").some((line) => new RegExp(`^\\s*\\d+: [0-9A-F]+:${hex} \\S+ 0A `).test(line));
}
