import { mkdtemp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../program.ts";
import { serveWebSockets } from "../servers/served.ts";
import type { CaseResult, Suite } from "../suite.ts";
import { ways } from "../suite.ts";
import { pythonEnv, pythonWith } from "../tools.ts";

interface Verdict {
  readonly behavior: string;
  readonly behaviorClose: string;
}

/** Autobahn's own verdicts that are no failure. */
const acceptable = new Set(["OK", "NON-STRICT", "INFORMATIONAL"]);
const limitMs = 200_000;
/**
 * Framing, pings, reserved bits, opcodes, fragments, UTF-8, closing and payload sizes whole. Of mass (9) and compression
 * (12, 13), which are bytes to a proxy and take a quarter of an hour, the first of the kinds that `ws` can do.
 */
const mass = "9.1.1 9.1.2 9.2.1 9.2.2";
const compression = "12.1.1 12.2.1 12.3.1 12.4.1 12.5.1 13.1.1 13.3.1 13.4.1";
const cases = `1.* 2.* 3.* 4.* 5.* 6.* 7.* 10.* ${mass} ${compression}`.split(" ");
/** Runs kosoku, which has no `__main__`. */
const script = "import sys; from kosoku._cli import main; sys.exit(main())";

/** Autobahn's cases by kosoku as the client. */
export const autobahnClient: Suite = {
  name: "Autobahn (kosoku) against ws",
  ways: [ways.h1ToH1, ways.h1ToH2ToH1],
  tools: ["kosoku"],
  serve: serveWebSockets,
  attempt: async ({ port }, { folder }) => {
    const reports = await mkdtemp(join(folder, "autobahn-"));
    const chosen = cases.flatMap((glob) => ["--include", glob]);
    const args = ["-c", script, ...chosen, "--parallelism", "2", "--outdir", reports, `ws://127.0.0.1:${port}`];
    const { errors } = await run(pythonWith("kosoku") ?? "python3", args, { limitMs, env: pythonEnv });
    const index = await readFile(join(reports, "index.json"), "utf8").catch(() => "{}");
    // By agent, which is what the answer's `server` says: the proxy's name, or the server's own.
    const byAgent = Object.values(JSON.parse(index) as Record<string, Record<string, Verdict>>);
    const verdicts = byAgent.flatMap((cases) => Object.entries(cases));
    if (verdicts.length === 0) return [{ name: "all", failure: `no report: ${errors.trim()}` }];
    return verdicts.map(([name, verdict]) => resultOf(name, verdict));
  },
};

function resultOf(name: string, { behavior, behaviorClose }: Verdict): CaseResult {
  const text = behavior === behaviorClose ? behavior : `${behavior}, close ${behaviorClose}`;
  const hasPassed = acceptable.has(behavior) && acceptable.has(behaviorClose);
  return hasPassed ? { name, seen: { verdict: text } } : { name, failure: text };
}
