import type { Action, DecisionTrace, RequestRecord, TraceEntry } from "@heddle/engine";
import { errorEntry } from "@heddle/core";
import type { MeshAnswer, Origin, Step } from "./explanation.ts";
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

  /** Of the ALLOW policies that were judged and did not match. */
  firstAllowPolicy(mesh: MeshOnPaper): Origin | null {
    const judged = this.entries.find(
      ({ policyAction, provenance }) => policyAction === "allow" && provenance !== undefined,
    );
    return judged?.provenance === undefined ? null : mesh.originOf({ ...judged.provenance, rule: "" });
  }

  /** The table of error codes sends operators to `heddle explain`; who is here already is told which of the two does not match. */
  hintOfNoRoute({ method, path, authority }: RequestRecord): string {
    return this.entries.some(({ kind, matched }) => kind === "virtual-host" && matched)
      ? `No match entry covers ${method} ${path}: each line above says what its entry asks for. An http entry without match, as the last, would take the rest.`
      : `No VirtualService here has the host ${authority}: its hosts, or the header Host of the request, would have to be others.`;
  }

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

/** The fields of a route that make it answer by itself. */
const answeringFields: Readonly<Record<string, string>> = {
  fault_abort: "fault",
  redirect: "redirect",
  direct_response: "directResponse",
};

/** What the mesh itself answers, from the action that says so. */
export function answerOf(
  mesh: MeshOnPaper,
  action: Action,
  request: RequestRecord,
  recorder: StepRecorder,
): MeshAnswer {
  const { code } = action;
  const decidedBy = action.policy?.provenance ?? request.decidedBy ?? request.route?.provenance;
  return {
    status: action.status,
    body: action.body,
    details: action.details,
    flags: [...request.flags],
    location: action.location,
    hint: code === "" ? "" : code === "no_route" ? recorder.hintOfNoRoute(request) : errorEntry(code).hint,
    intended: code === "redirect" || code === "direct_response",
    origin:
      mesh.settingOf(request.route?.provenance, answeringFields[code] ?? "") ??
      mesh.originOf(decidedBy) ??
      // Denied because no ALLOW policy matches: there is no one rule, but there are policies that made it so.
      (code === "rbac_denied" ? recorder.firstAllowPolicy(mesh) : null),
  };
}
