import { readFileSync } from "node:fs";
import { runCommand } from "./command.ts";

/** Who applications run as: the person who called `heddle`, also through sudo. */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
  /** What the account database says; undefined: this id has no entry. */
  readonly account: { readonly name: string; readonly home: string } | undefined;
}

/** @param uid and `gid` of this process; sudo is believed only by root, since anybody may set its variables */
export function findCaller(
  env: NodeJS.ProcessEnv = process.env,
  uid = process.getuid?.() ?? 0,
  gid = process.getgid?.() ?? 0,
  passwd = readPasswd(),
): Caller {
  const sudoUid = numberIn(env["SUDO_UID"]);
  const sudoGid = numberIn(env["SUDO_GID"]);
  const own = uid === 0 && sudoUid !== undefined && sudoGid !== undefined ? [sudoUid, sudoGid] : [uid, gid];
  const [callerUid = uid, callerGid = gid] = own;
  return { uid: callerUid, gid: callerGid, account: accountOf(callerUid, passwd) };
}

/** What a login would have set; sudo has set it for root. */
export function callerVariables({ account }: Caller): NodeJS.ProcessEnv {
  return account === undefined ? {} : { HOME: account.home, USER: account.name, LOGNAME: account.name };
}

/** What this process has made for the caller belongs to the caller, who may read, move and remove it afterwards. */
export async function giveToCaller(folder: string): Promise<void> {
  const { uid, gid } = findCaller();
  await runCommand(["chown", "-R", "--no-dereference", `${uid}:${gid}`, folder]);
}

function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

function readPasswd(): string {
  try {
    return readFileSync("/etc/passwd", "utf8");
  } catch {
    // Without a database there are no names.
    return "";
  }
}

/** passwd(5): name:password:UID:GID:comment:home:shell */
function accountOf(uid: number, passwd: string): Caller["account"] {
  for (const line of passwd.split("\n")) {
    const [name = "", , id, , , home = ""] = line.split(":");
    if (name !== "" && home !== "" && numberIn(id) === uid) return { name, home };
  }
  return undefined;
}
