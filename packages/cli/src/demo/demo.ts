import { dirname, delimiter } from "node:path";
import type { DemoOptions } from "../command-line/demo-command.ts";
import { exitCodes } from "../exit-codes.ts";
import { formatData } from "../output/data.ts";
import { paintFor } from "../output/terminal.ts";
import type { Paint } from "../output/terminal.ts";
import { UserProblem } from "../user-problem.ts";
import { MeshOutput } from "../up/mesh-output.ts";
import { MeshSession } from "../up/mesh-session.ts";
import { listenForStop } from "../up/stop-signal.ts";
import type { CheckResult } from "./check-run.ts";
import { runChecks } from "./check-run.ts";
import { LineLog } from "./line-log.ts";
import { showTraffic } from "./live-demo.ts";
import { RunningDemo } from "./running-demo.ts";
import { createWorkspace } from "./workspace.ts";

const readyLimitMs = 60_000;

/** What `heddle demo --check --output json` prints. */
export interface CheckReport {
  readonly ok: boolean;
  /** From the start of the command until every process was ready. */
  readonly readySeconds: number;
  readonly checks: readonly CheckResult[];
}

/** Runs a copy of the bookshop until it is told to stop, or until it is checked. Nothing of it stays. */
export async function demo(options: DemoOptions): Promise<number> {
  const begun = performance.now();
  const stop = listenForStop();
  // The shop is TypeScript, which only the runtime that runs this file is sure to understand.
  process.env["PATH"] = `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`;
  const isQuiet = options.check && options.output !== "table";
  const log = new LineLog();
  const output = new MeshOutput({
    // The report is all that --output json prints.
    stream: isQuiet ? { write: () => undefined } : process.stdout,
    isVerbose: false,
    showsApplications: false,
    showsMesh: !options.check,
    logs: log,
  });
  const workspace = await createWorkspace();
  try {
    const session = await MeshSession.open({
      folder: workspace.folder,
      output,
      edgePort: options.port,
      proxyLogLevel: "info",
    });
    try {
      const work = run(session, workspace.folder, log, output, options, begun);
      // Told to stop, whatever it is in the middle of: the end of the session ends that, too.
      work.catch(() => undefined);
      // A check that was not finished has not held.
      const whenTold = options.check ? exitCodes.negative : exitCodes.fine;
      return await Promise.race([work, stop.told.then(() => whenTold)]);
    } finally {
      await session.stop();
    }
  } finally {
    await workspace.remove();
    stop.dispose();
  }
}

async function run(
  session: MeshSession,
  folder: string,
  log: LineLog,
  output: MeshOutput,
  options: DemoOptions,
  begun: number,
): Promise<number> {
  output.notice(
    output.paint("dim", "starting a bookshop of five services, each behind a proxy; Ctrl-C stops everything"),
  );
  await session.start();
  const address = session.runner.edge?.address;
  if (address === undefined) throw new Error("the bookshop has no edge");
  const readiness = await session.runner.whenReady(readyLimitMs);
  const readySeconds = Math.round((performance.now() - begun) / 100) / 10;
  if (!readiness.ready)
    throw new UserProblem(`the bookshop is not ready after ${readySeconds} s: ${readiness.missing.join(", ")}`);
  const running = new RunningDemo(session.runner, folder, address, log);
  try {
    if (!options.check) return await showTraffic(running, { folder, address, readySeconds, output });
    output.notice(`ready after ${readySeconds} s, at http://${address}/\n`);
    return await check(running, readySeconds, options, output);
  } finally {
    running.close();
  }
}

async function check(
  running: RunningDemo,
  readySeconds: number,
  options: DemoOptions,
  output: MeshOutput,
): Promise<number> {
  const checks = await runChecks(running, options, (result) => output.notice(formatResult(result, output.paint)));
  const report: CheckReport = { ok: checks.every(({ ok }) => ok), readySeconds, checks };
  process.stdout.write(await formatData(options.output, report, () => summary(report)));
  return report.ok ? exitCodes.fine : exitCodes.negative;
}

function formatResult({ name, title, ok, evidence, problems, sabotaged, seconds }: CheckResult, paint: Paint): string {
  const mark = ok ? paint(["green", "bold"], "√") : paint(["red", "bold"], "×");
  const [first = "", ...others] = problems;
  const what = ok ? evidence : others.length === 0 ? first : `${first}; and ${others.length} more`;
  return `${mark} ${paint("bold", name)}: ${title}${sabotaged ? paint("yellow", " (sabotaged)") : ""} ${paint("dim", `(${what}; ${seconds} s)`)}`;
}

function summary({ checks }: CheckReport): string {
  const paint = paintFor(process.stdout);
  const held = checks.filter(({ ok }) => ok).length;
  return `\n${paint(held === checks.length ? "green" : "red", `${held} of ${checks.length} checks hold`)}\n`;
}
