import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "@heddle/testkit";
import { WebSocket } from "ws";
import { run, ServerProgram } from "../program.ts";
import { serveWebSockets } from "../servers/served.ts";
import type { CaseResult, Served, Site, Suite } from "../suite.ts";
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

/** Autobahn's cases by kosoku as the server; `ws` is the client, and sends every message back. */
export const autobahnServer: Suite = {
  name: "ws against Autobahn (kosoku)",
  ways: [ways.h1ToH1, ways.h1ToH2ToH1],
  tools: ["kosoku"],
  serve: serveAutobahn,
  attempt: async ({ port }, { folder }) => {
    const results = join(folder, resultsFile);
    await rm(results, { force: true });
    const url = `ws://127.0.0.1:${port}`;
    const count = Number(await firstMessage(`${url}/getCaseCount`));
    for (let number = 1; number <= count; number += 1) await takePart(`${url}/runCase?case=${number}&agent=ws`);
    await takePart(`${url}/updateReports?agent=ws`);
    const verdicts = JSON.parse(await appeared(results)) as (Verdict & { readonly id: string })[];
    return verdicts.map((verdict) => resultOf(verdict.id, verdict));
  },
};

const server = fileURLToPath(new URL("../python/autobahn_server.py", import.meta.url));
const resultsFile = "autobahn-server.json";

async function serveAutobahn({ folder }: Site): Promise<Served> {
  const port = await freePort();
  const args = [server, String(port), join(folder, resultsFile), ...cases];
  const started = await ServerProgram.start(pythonWith("kosoku") ?? "python3", args, /listening/, pythonEnv);
  return { ports: { h1: port }, [Symbol.asyncDispose]: () => started.server[Symbol.asyncDispose]() };
}

/** Sends every message back until the server closes. A case may well end in an error: what the server thinks of it is the verdict. */
async function takePart(url: string): Promise<void> {
  const socket = new WebSocket(url, { maxPayload: 64 * 1024 * 1024 });
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on("error", () => socket.terminate());
  const timer = setTimeout(() => socket.terminate(), 60_000);
  await new Promise((resolve) => {
    socket.on("close", resolve);
  });
  clearTimeout(timer);
}

async function firstMessage(url: string): Promise<string> {
  const socket = new WebSocket(url);
  try {
    const [data] = (await once(socket, "message", { signal: AbortSignal.timeout(30_000) })) as [Buffer];
    return data.toString();
  } finally {
    socket.terminate();
  }
}

/** The content of a file that another process is about to write. */
async function appeared(path: string): Promise<string> {
  for (const end = performance.now() + 30_000; performance.now() < end; await delay(50)) {
    const text = await readFile(path, "utf8").catch(() => "");
    if (text !== "") return text;
  }
  throw new Error("the server has written no results");
}
