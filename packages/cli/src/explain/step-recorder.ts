import type { Action, DecisionTrace, RequestRecord, TraceEntry } from "@heddle/engine";
import { errorEntry } from "@heddle/core";
import type { MeshAnswer, Step } from "./explanation.ts";
import type { MeshOnPaper } from "./mesh-on-paper.ts";

/** The largest number that a draw can give: shares below 100 % do not strike with it. */
const unlucky = 1 - Number.EPSILON;

/**
 * Takes down the engine's reasons, and deals the random numbers that lead it the way that is looked at: a fraction of a route is met,
 * a weighted cluster is the wanted one, and a fault strikes only when it always does.
 */
export class StepRecorder implements DecisionTrace {
  readonly entries: TraceEntry[] = [];
  readonly #weightedDraw: number | undefined;
  #phase: "route" | "cluster" | "rest" = "route";

  /** @param weightedDraw number in [0, 1) that draws the wanted cluster; undefined when the route has one only */
  constructor(weightedDraw: number | undefined) {
    this.#weightedDraw = weightedDraw;
  }

  add(entry: TraceEntry): void {
    this.entries.push(entry);
    if (entry.kind === "route" && entry.matched) this.#phase = this.#weightedDraw === undefined ? "rest" : "cluster";
    if (entry.kind === "cluster") this.#phase = "rest";
  }

  readonly random = (): number => {
    if (this.#phase === "route") return 0;
    return this.#phase === "cluster" ? (this.#weightedDraw ?? unlucky) : unlucky;
  };

  steps(mesh: MeshOnPaper): Step[] {
    return this.entries.map(({ kind, name, matched, why, provenance }) => ({
      kind,
      name,
      matched,
      why,
      origin: mesh.originOf(provenance),
    }));
  }
}

/** What the mesh itself answers, from the action that says so. */
export function answerOf(mesh: MeshOnPaper, action: Action, request: RequestRecord): MeshAnswer {
  return {
    status: action.status,
    body: action.body,
    details: action.details,
    flags: [...request.flags],
    location: action.location,
    hint: action.code === "" ? "" : errorEntry(action.code).hint,
    origin: mesh.originOf(action.policy?.provenance ?? request.decidedBy ?? request.route?.provenance),
  };
}
