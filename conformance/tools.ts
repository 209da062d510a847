import { spawnSync } from "node:child_process";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findProgram } from "../scripts/find-program.ts";
import { installDebianPackages } from "../scripts/system-packages.ts";

interface Tool {
  /** How a person gets it, for the line that says what is skipped. */
  readonly hint: string;
  isPresent(): boolean;
  install?(): void;
  /** Its first word on its version. */
  version(): string;
}

/** What is not on the machine is installed here, away from the system. */
const folder = fileURLToPath(new URL("../node_modules/.cache/heddle-conformance", import.meta.url));
const pythonFolder = join(folder, "python");

function quietly(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const { stdout, stderr } = spawnSync(command, args, {
    encoding: "utf8",
    env: { ...process.env, ...env },
    timeout: 300_000,
  });
  return `${stdout ?? ""}${stderr ?? ""}`;
}

const versionNumber = /\d+\.\d+(?:\.\d+)?/;

function command(name: string, debianPackage: string): Tool {
  return {
    hint: `apt-get install ${debianPackage}`,
    isPresent: () => findProgram(name) !== undefined,
    install: () => void installDebianPackages({ [name]: debianPackage }),
    version: () => versionNumber.exec(quietly(name, ["--version"]))?.[0] ?? "unknown",
  };
}

/** A module for Python: from PyPI, into our own folder; or Debian's, for Debian's Python. */
function pythonModule(module: string, pypi: string, debianPackage?: string): Tool {
  return {
    hint: `pip install ${pypi}${debianPackage === undefined ? "" : `, or apt-get install ${debianPackage}`}`,
    isPresent: () => pythonWith(module) !== undefined,
    install: () => {
      if (debianPackage !== undefined) installDebianPackages({ [debianPackage]: debianPackage });
      if (pythonWith(module) !== undefined) return;
      const args = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", pythonFolder, pypi];
      quietly("python3", args);
    },
    version: () => {
      const script = `import importlib.metadata as m; print(m.version("${pypi}"))`;
      return versionNumber.exec(quietly(pythonWith(module) ?? "false", ["-c", script], pythonEnv))?.[0] ?? "unknown";
    },
  };
}

const tools: Readonly<Record<string, Tool>> = {
  h2spec: {
    hint: "go install github.com/summerwind/h2spec/cmd/h2spec@latest (Go is https://go.dev)",
    isPresent: () => findProgram("h2spec") !== undefined,
    install: () => {
      const go = findProgram("go");
      if (go === undefined) return;
      quietly(go, ["install", "github.com/summerwind/h2spec/cmd/h2spec@latest"], { GOBIN: folder });
    },
    // Built by `go install` it does not know its version.
    version: () => /\tmod\t\S+\tv?(\S+)/.exec(quietly("go", ["version", "-m", program("h2spec")]))?.[1] ?? "unknown",
  },
  curl: command("curl", "curl"),
  nghttp: command("nghttp", "nghttp2-client"),
  h2load: command("h2load", "nghttp2-client"),
  nghttpd: command("nghttpd", "nghttp2-server"),
  "python3-h2": pythonModule("h2", "h2", "python3-h2"),
  "python3-grpcio": pythonModule("grpc", "grpcio", "python3-grpcio"),
  kosoku: pythonModule("kosoku", "kosoku"),
};

/** The environment in which Python finds what was installed here. */
export const pythonEnv: Readonly<Record<string, string>> = { PYTHONPATH: pythonFolder };

/** A Python that has the module. */
export function pythonWith(module: string): string | undefined {
  return ["python3", "/usr/bin/python3"].find(
    (python) =>
      spawnSync(python, ["-c", `import ${module}`], { env: { ...process.env, ...pythonEnv }, stdio: "ignore" })
        .status === 0,
  );
}

/** Path of a program that {@link missingTools} has found. */
export function program(name: string): string {
  const path = findProgram(name);
  if (path === undefined) throw new Error(`${name} is not on the PATH`);
  return path;
}

/** Installs what is missing where that is possible, and names what is missing still, each with how to get it. */
export function missingTools(names: readonly string[]): string[] {
  if (!process.env["PATH"]?.includes(folder)) process.env["PATH"] += `${delimiter}${folder}${delimiter}/usr/sbin`;
  return names.flatMap((name) => {
    const tool = tools[name];
    if (tool === undefined) throw new Error(`there is no tool ${name}`);
    if (!tool.isPresent()) tool.install?.();
    return tool.isPresent() ? [] : [`${name}: ${tool.hint}`];
  });
}

export function toolVersion(name: string): string {
  return tools[name]?.version() ?? "unknown";
}
