import { passthroughSources } from "@heddle/compiler";
import { CommandFailed, runCommand } from "./command.ts";
import { findCaller } from "./caller.ts";
import { proxyFolders } from "./proxy-process.ts";
import { withView } from "./proxy-view.ts";
import { namespacePorts, proxyUser, redirectRules } from "./redirect-rules.ts";
import { findSystemProgram, systemProgram } from "./system-program.ts";

/** Whether replicas can have namespaces here: `problem` says in words why not, and `remedy` what to do, where something can be done. */
export type Capability =
  | { readonly problem: undefined; readonly hasIpv6: boolean }
  | { readonly problem: string; readonly remedy: string };

/** Command → where it comes from. */
const programs: Readonly<Record<string, string>> = {
  ip: "iproute2",
  "iptables-restore": "iptables",
  nsenter: "util-linux",
  unshare: "util-linux",
  setpriv: "util-linux",
};

/**
 * Makes all that a mesh in namespaces needs, once, in a namespace that is gone when this returns. Nothing outside it is touched.
 */
export async function namespacesCapability(env: NodeJS.ProcessEnv = process.env): Promise<Capability> {
  if (process.platform !== "linux") return { problem: "it needs Linux", remedy: "" };
  if (process.getuid?.() !== 0) return { problem: "it needs root", remedy: "Run as root" };
  if (findCaller(env).uid === proxyUser)
    return {
      problem: `applications would run as user ${proxyUser}, which is the proxies'`,
      remedy: "Run as another user",
    };
  const missing = Object.keys(programs).filter((program) => findSystemProgram(program) === undefined);
  if (missing.length > 0) {
    const packages = [...new Set(missing.map((program) => programs[program]))].join(" ");
    return {
      problem: `${missing.map(commandOf).join(", ")} ${missing.length === 1 ? "is" : "are"} missing (install ${packages})`,
      remedy: "Install what is missing",
    };
  }
  try {
    return { problem: undefined, hasIpv6: await tryOut() };
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    return { problem: error.message, remedy: "" };
  }
}

/** People install and know `iptables`; `iptables-restore` comes with it. */
function commandOf(program: string): string {
  return program === "iptables-restore" ? "iptables" : program;
}

/** By it the proxy asks for original destinations; young, and not in every build of the runtime. */
const askKernel = [
  process.execPath,
  "--disable-warning=ExperimentalWarning",
  "-e",
  'require("node:ffi").dlopen(null, {})',
];

const trial = `
set -e
ip link add name a type veth peer name b
ip link add name mesh type bridge
ip link set dev lo up
printf '%s' "$1" | iptables-restore
ip address add ${passthroughSources.ipv6}/128 dev lo 2>/dev/null && printf '%s' "$2" | ip6tables-restore 2>/dev/null && echo ipv6
:
`;

/** @returns whether there is IPv6. @throws CommandFailed with what the system said */
async function tryOut(): Promise<boolean> {
  const { dns: port } = namespacePorts;
  const ipv4 = redirectRules("ipv4", { host: "198.18.0.1", port });
  const ipv6 = redirectRules("ipv6", { host: "fd68::1", port });
  const inside = ["unshare", "--net", "--mount", "--"];
  const said = await runCommand([...inside, "sh", "-c", trial, "heddle-trial", ipv4, ipv6]);
  const folders = proxyFolders();
  const asProxy = [systemProgram("setpriv"), `--reuid=${proxyUser}`, `--regid=${proxyUser}`, "--clear-groups", "--"];
  try {
    await runCommand([...inside, ...withView(folders, [...asProxy, ...askKernel])]);
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    throw new CommandFailed(
      `the proxies' user ${proxyUser} cannot run ${process.execPath}, whose node:ffi asks the kernel where a connection was meant to go: ${error.message}`,
    );
  }
  return said.includes("ipv6");
}
