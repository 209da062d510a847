import assert from "node:assert/strict";
import type { MeshMode } from "@heddle/api";
import type { CheckName } from "../demo/check-names.ts";
import { checksOf } from "../demo/check-names.ts";
import { runChecks } from "../demo/check-run.ts";
import { LineLog } from "../demo/line-log.ts";
import { Shop } from "../demo/shop.ts";
import { MeshOutput } from "../up/mesh-output.ts";

/**
 * Which sabotages run together. No check's set of rounds holds another's: so for each two checks there is a round in which the
 * first is sabotaged and the second is not, and five runs show for all nine of ports mode that exactly their own line turns.
 */
export const sabotageRounds: readonly (readonly CheckName[])[] = [
  ["mtls", "split", "forbidden", "reload"],
  ["mtls", "invalid-edit", "control-plane-loss", "replica-loss"],
  ["split", "invalid-edit", "control-plane-back", "renewal"],
  ["forbidden", "control-plane-loss", "renewal"],
  ["reload", "control-plane-back", "replica-loss"],
];

/** @param round counts from 1 */
export function titleOfRound(round: number): string {
  return `sabotaging ${sabotageRounds[round - 1]?.join(", ")} turns exactly these lines`;
}

/** @param round counts from 1 */
export async function playSabotageRound(round: number): Promise<void> {
  const sabotage = sabotageRounds[round - 1];
  assert.ok(sabotage !== undefined);
  await playSabotage("ports", sabotage);
}

/** Runs all checks of the mode on a shop of its own, and shows that exactly the sabotaged lines turn ×. */
export async function playSabotage(mode: MeshMode, sabotage: readonly CheckName[]): Promise<void> {
  const log = new LineLog();
  const stream = { write: () => undefined };
  const output = new MeshOutput({ stream, isVerbose: false, showsApplications: false, showsMesh: false, logs: log });
  const shop = await Shop.prepare({ port: 0, mode, isChecked: true, output, log });
  try {
    const results = await runChecks(await shop.open(), { only: [], sabotage }, () => undefined);
    // What a check says when it holds would be a lie beside its problems.
    assert.deepEqual(
      results.flatMap(({ ok, evidence }) => (ok ? [] : [evidence])),
      sabotage.map(() => ""),
    );
    const marks = results.map(
      ({ name, ok, problems }) =>
        `${ok ? "√" : "×"} ${name}${sabotage.includes(name) ? "" : `: ${problems.join("; ")}`}`,
    );
    assert.deepEqual(
      marks,
      checksOf(mode).map((name) => (sabotage.includes(name) ? `× ${name}` : `√ ${name}: `)),
    );
  } finally {
    await shop.close();
  }
}
