import { join, resolve } from "node:path";
import { stateFolderName } from "@heddle/control-plane";
import type { UpOptions } from "../command-line/up-command.ts";
import { exitCodes } from "@heddle/core";
import type { MeshPlan } from "../local-mesh/plan.ts";
import { LogFiles } from "./log-files.ts";
import { MeshOutput } from "./mesh-output.ts";
import { MeshSession } from "./mesh-session.ts";
import { describeStop, listenForStop } from "./stop-signal.ts";

const readyLimitMs = 60_000;

/** Runs the mesh of a folder until it is told to stop. Rejects with `UserProblem` when it cannot begin. */
export async function up(folder: string, options: UpOptions): Promise<number> {
  const stop = listenForStop();
  const absolute = resolve(folder);
  const begun = performance.now();
  const logFolder = join(absolute, stateFolderName, "logs");
  const logs = new LogFiles(logFolder, (message) => output.report("heddle", message));
  const output: MeshOutput = new MeshOutput({
    stream: process.stdout,
    isVerbose: options.verbose,
    showsApplications: true,
    logs,
  });
  const session = await MeshSession.open({
    folder: absolute,
    output,
    edgePort: undefined,
    mode: options.mode,
    proxyLogLevel: "info",
  });
  logs.open();
  try {
    output.notice(`${session.plan.name}: starting ${countProcesses(session.plan)}; Ctrl-C stops everything`);
    output.notice(output.paint("dim", session.mode.notice));
    const starting = session.start();
    // Told to stop while it starts: the start then fails, which is nobody's problem.
    starting.catch(() => undefined);
    if ((await Promise.race([stop.told, starting])) === undefined) void announce(session, output, logFolder, begun);
    output.notice(describeStop(await stop.told));
  } finally {
    await session.stop();
    await logs.close();
    stop.dispose();
  }
  return exitCodes.fine;
}

async function announce(session: MeshSession, output: MeshOutput, logFolder: string, begun: number): Promise<void> {
  const { runner, plan } = session;
  const { paint } = output;
  const address = runner.edge?.address;
  // Also while a program behind it is not ready, and may never be: the others can be asked.
  if (address !== undefined && (await runner.whenEdgeServes(readyLimitMs)).ready)
    output.notice(`  edge  http://${address}/ → ${plan.edge?.service.name}, which answers when the mesh is ready`);
  const readiness = await runner.whenReady(readyLimitMs);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  if (!readiness.ready) {
    // Stopping, too, ends the wait; then nobody misses anything.
    if (performance.now() - begun < readyLimitMs) return;
    output.report("heddle", `not ready after ${seconds} s: ${readiness.missing.join(", ")}; see ${logFolder}`);
    return;
  }
  output.notice(paint(["green", "bold"], `${plan.name} is ready after ${seconds} s`));
  output.notice(paint("dim", `  logs  ${logFolder}`));
}

function countProcesses({ instances, edge }: MeshPlan): string {
  const proxies = instances.length + (edge === undefined ? 0 : 1);
  const count = (number: number, one: string, many: string): string => `${number} ${number === 1 ? one : many}`;
  return `the control plane, ${count(instances.length, "application", "applications")} and ${count(proxies, "proxy", "proxies")}`;
}
