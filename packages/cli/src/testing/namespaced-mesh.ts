import { execFile } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";
import type { TestContext } from "node:test";
import { atEnd } from "./at-end.ts";
import { HeddleProcess } from "./heddle-process.ts";
import { smallMesh } from "./small-mesh.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** Who calls `heddle` through sudo; nobody's number in particular. */
export const callerUid = 4242;

const resolverAddress = "127.68.0.53";
const underResolver = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';

export interface NamespacedMeshOptions {
  /** Files of the folder, in place of the small mesh's or beside them. */
  readonly files?: Readonly<Record<string, string>>;
}

/**
 * The small mesh in namespaces mode (root, Linux), started through sudo by somebody else, on a machine whose resolver knows one
 * address for every name. `back` greets with the user that it runs as.
 */
export class NamespacedMesh {
  /** What the machine's resolver says of every name. */
  static readonly outside = "192.0.2.77";
  readonly heddle: HeddleProcess;
  readonly folder: string;

  private constructor(heddle: HeddleProcess, folder: string) {
    this.heddle = heddle;
    this.folder = folder;
  }

  static async start(context: TestContext, options: NamespacedMeshOptions = {}): Promise<NamespacedMesh> {
    const folder = temporaryFolder(context, { ...smallMesh, ...meshOf(smallMesh["mesh.yaml"]), ...options.files });
    chmodSync(folder, 0o755);
    chownSync(folder, callerUid, callerUid);
    // The caller may not go where this runtime lies.
    copyFileSync(process.execPath, join(folder, "node"));
    chmodSync(join(folder, "node"), 0o755);
    await startResolver(context);
    writeFileSync(join(folder, "resolv.conf"), `nameserver ${resolverAddress}\n`);
    return new NamespacedMesh(launch(context, folder), folder);
  }

  /** The same folder once more. */
  again(context: TestContext): NamespacedMesh {
    return new NamespacedMesh(launch(context, this.folder), this.folder);
  }

  /** Runs a program on the network of a replica, as root, and returns what it prints. */
  async inside(replica: string, command: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)("nsenter", [
      `--target=${this.#applicationOf(replica)}`,
      "--net",
      "--mount",
      "--",
      ...command,
    ]);
    return stdout.trim();
  }

  /** Its own addresses, IPv4 first. */
  async addressesOf(replica: string): Promise<string[]> {
    const told = await this.inside(replica, ["hostname", "-I"]);
    return told.split(" ");
  }

  #applicationOf(replica: string): number {
    const found = this.heddle
      .family()
      .find(({ pid }) => readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(`HOSTNAME=${replica}`));
    if (found === undefined) throw new Error(`${replica} does not run`);
    return found.pid;
  }
}

function launch(context: TestContext, folder: string): HeddleProcess {
  const heddle = new HeddleProcess(["up", folder, "--mode", "namespaces"], {
    env: { SUDO_UID: String(callerUid), SUDO_GID: String(callerUid) },
    under: ["unshare", "--mount", "--", "sh", "-c", underResolver, join(folder, "resolv.conf")],
  });
  atEnd(context, () => heddle.dispose());
  return heddle;
}

function meshOf(mesh = ""): Record<string, string> {
  const [front = "", back = ""] = mesh.replaceAll("[node, server.cjs]", "[./node, server.cjs]").split("- name: back");
  const greeting = `[sh, -c, "GREETING=$(id -u) exec ./node server.cjs"]`;
  return { "mesh.yaml": `${front}- name: back${back.replace("[./node, server.cjs]", greeting)}` };
}

/** Answers each question with its own text and one address (RFC 1035 §4.1). */
async function startResolver(context: TestContext): Promise<void> {
  const socket = createSocket("udp4");
  context.after(() => socket.close());
  socket.on("message", (question, { address, port }) => {
    // A name of labels, its type and its class; what the client adds behind them is left out.
    let end = 12;
    while (question[end] !== 0) end += (question[end] ?? 0) + 1;
    const asked = question.subarray(12, end + 5);
    const isAddress = question.readUInt16BE(end + 1) === 1;
    const header = Buffer.from(question.subarray(0, 12));
    header.writeUInt16BE(0x8180, 2);
    header.writeUInt16BE(isAddress ? 1 : 0, 6);
    header.fill(0, 8);
    const record = Buffer.from("c00c00010001000000050004", "hex");
    const answer = isAddress ? [record, Buffer.from(NamespacedMesh.outside.split(".").map(Number))] : [];
    socket.send(Buffer.concat([header, asked, ...answer]), port, address);
  });
  socket.bind(53, resolverAddress);
  await once(socket, "listening");
}
