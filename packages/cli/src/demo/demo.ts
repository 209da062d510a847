import type { DemoOptions } from "../command-line/demo-command.ts";
import type { MeshMode } from "@heddle/api";
import { exitCodes } from "@heddle/core";
import { formatData } from "../output/data.ts";
import { paintFor } from "../output/terminal.ts";
import type { Paint } from "../output/terminal.ts";
import { MeshOutput } from "../up/mesh-output.ts";
import { describeStop, listenForStop } from "../up/stop-signal.ts";
import { UserProblem } from "../user-problem.ts";
import { checksOf } from "./check-names.ts";
import type { CheckResult, CheckSelection } from "./check-run.ts";
import { runChecks } from "./check-run.ts";
import { LineLog } from "./line-log.ts";
import { showTraffic } from "./live-demo.ts";
import type { RunningDemo } from "./running-demo.ts";
import { Shop } from "./shop.ts";

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
  const log = new LineLog();
  const output = new MeshOutput({
    // The report is all that --output json prints.
    stream: options.check && options.output !== "table" ? { write: () => undefined } : process.stdout,
    isVerbose: false,
    showsApplications: false,
    showsMesh: !options.check,
    logs: log,
  });
  const shop = await Shop.prepare({ port: options.port, mode: options.mode, isChecked: options.check, output, log });
  try {
    requireChecks(shop.mode, options);
    const work = run(shop, options, output, begun);
    // Told to stop, whatever it is in the middle of: the end of the shop ends that, too.
    work.catch(() => undefined);
    // A check that was not finished has not held.
    const whenTold = options.check ? exitCodes.negative : exitCodes.fine;
    return await Promise.race([
      work,
      stop.told.then((reason) => {
        output.notice(describeStop(reason));
        return whenTold;
      }),
    ]);
  } finally {
    await shop.close();
    stop.dispose();
  }
}

/** What a mode cannot be asked would neither hold nor break: nothing would be shown. */
function requireChecks(mode: MeshMode, { only, sabotage }: CheckSelection): void {
  const known = checksOf(mode);
  const unknown = [...new Set([...only, ...sabotage])].filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  throw new UserProblem(`mode ${mode} has no check ${unknown.join(", ")}`, {
    hint: `Checks of mode ${mode}: ${known.join(", ")}. Nothing was started.`,
    exitCode: exitCodes.usage,
  });
}

async function run(shop: Shop, options: DemoOptions, output: MeshOutput, begun: number): Promise<number> {
  const intention = "starting a bookshop of five services, each behind a proxy; Ctrl-C stops everything";
  output.notice(output.paint("dim", intention));
  output.notice(output.paint("dim", shop.notice));
  const running = await shop.open();
  const readySeconds = Math.round((performance.now() - begun) / 100) / 10;
  if (!options.check) return showTraffic(running, shop.folder, readySeconds, output);
  output.notice(`ready after ${readySeconds} s, at http://${running.address}/\n`);
  return check(running, readySeconds, options, output);
}

async function check(
  running: RunningDemo,
  readySeconds: number,
  options: DemoOptions,
  output: MeshOutput,
): Promise<number> {
  const checks = await runChecks(running, options, (result) => output.notice(formatResult(result, output.paint)));
  const report: CheckReport = { ok: checks.length > 0 && checks.every(({ ok }) => ok), readySeconds, checks };
  process.stdout.write(await formatData(options.output, report, () => summary(report)));
  return report.ok ? exitCodes.fine : exitCodes.negative;
}

function formatResult(result: CheckResult, paint: Paint): string {
  const { name, title, ok, evidence, problems, sabotaged, seconds } = result;
  const mark = ok ? paint(["green", "bold"], "√") : paint(["red", "bold"], "×");
  const [first = "", ...others] = problems;
  const what = ok ? evidence : others.length === 0 ? first : `${first}; and ${others.length} more`;
  const note = sabotaged ? paint("yellow", " (sabotaged)") : "";
  return `${mark} ${paint("bold", name)}: ${title}${note} ${paint("dim", `(${what}; ${seconds} s)`)}`;
}

function summary({ checks }: CheckReport): string {
  const paint = paintFor(process.stdout);
  const held = checks.filter(({ ok }) => ok).length;
  return `\n${paint(held === checks.length ? "green" : "red", `${held} of ${checks.length} checks hold`)}\n`;
}
