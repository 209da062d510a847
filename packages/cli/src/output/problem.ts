import type { UserProblem } from "../user-problem.ts";
import { paintFor } from "./terminal.ts";

/** What, where, what to do. */
export function formatProblem(problem: UserProblem): string {
  const paint = paintFor(process.stderr);
  const where = problem.where === "" ? "" : `${problem.where}: `;
  const hint = problem.hint === "" ? "" : `${paint("dim", `→ ${problem.hint}`)}\n`;
  return `${paint(["red", "bold"], "heddle:")} ${where}${problem.message}\n${hint}`;
}
