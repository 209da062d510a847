import type { CheckName } from "./check-names.ts";
import { checksOf } from "./check-names.ts";
import { allChecks } from "./checks/all.ts";
import type { Check } from "./check.ts";
import type { RunningDemo } from "./running-demo.ts";

/** One line of the report. */
export interface CheckResult {
  readonly name: CheckName;
  readonly title: string;
  readonly ok: boolean;
  /** Empty when the check does not hold: it tells what holds then. The problems say what was seen. */
  readonly evidence: string;
  readonly problems: readonly string[];
  readonly sabotaged: boolean;
  readonly seconds: number;
}

export interface CheckSelection {
  /** Empty: all. */
  readonly only: readonly CheckName[];
  readonly sabotage: readonly CheckName[];
}

/** Runs the checks one after the other; each finds the mesh whole, whatever became of the one before. */
export async function runChecks(
  demo: RunningDemo,
  { only, sabotage }: CheckSelection,
  onResult: (result: CheckResult) => void,
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const name of checksOf(demo.mode)) {
    if (only.length > 0 && !only.includes(name)) continue;
    const result = await runCheck(demo, allChecks[name], sabotage.includes(name));
    onResult(result);
    results.push(result);
  }
  return results;
}

async function runCheck(demo: RunningDemo, check: Check, sabotaged: boolean): Promise<CheckResult> {
  const { name, title } = check;
  const started = performance.now();
  let problems: readonly string[];
  let evidence = "";
  let repair: (() => Promise<void>) | undefined;
  try {
    // This one begins without.
    if (name !== "control-plane-back") await demo.ensureControlPlane();
    await check.prepare?.(demo);
    if (sabotaged) repair = await check.sabotage(demo);
    ({ problems, evidence } = await check.run(demo));
  } catch (error) {
    problems = [error instanceof Error ? error.message : String(error)];
  }
  await demo.endLoads();
  await repair?.();
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  const ok = problems.length === 0;
  return { name, title, ok, evidence: ok ? evidence : "", problems, sabotaged, seconds };
}
