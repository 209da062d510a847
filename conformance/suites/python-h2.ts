import { fileURLToPath } from "node:url";
import { run, ServerProgram } from "../program.ts";
import { serveOrigin } from "../servers/served.ts";
import type { CaseResult, Served, Suite } from "../suite.ts";
import { ways } from "../suite.ts";
import { pythonEnv, pythonWith } from "../tools.ts";
import { curl } from "./curl.ts";
import { fieldsSeen, requestSeen } from "./seen.ts";

interface Line {
  readonly name: string;
  readonly failure?: string;
  readonly result?: Readonly<Record<string, unknown>>;
}

const clientScript = fileURLToPath(new URL("../python/h2_client.py", import.meta.url));

const script = fileURLToPath(new URL("../python/h2_server.py", import.meta.url));

/** Starts `h2_server.py`. */
async function servePythonH2(): Promise<Served> {
  const python = pythonWith("h2") ?? "python3";
  const { server, match } = await ServerProgram.start(python, [script], /port (\d+)/, pythonEnv);
  return { ports: { h2: Number(match[1]) }, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

const client: Omit<Suite, "name" | "ways" | "serve"> = {
  tools: ["python3-h2"],
  attempt: async ({ port }) => {
    const python = pythonWith("h2") ?? "python3";
    const { output, errors } = await run(python, [clientScript, String(port)], { env: pythonEnv, limitMs: 200_000 });
    const lines = output.split("\n").filter((line) => line !== "");
    if (lines.length === 0) return [{ name: "all", failure: errors.trim() }];
    return lines.map((line) => resultOf(JSON.parse(line) as Line));
  },
};

/** As client and as server. */
export const pythonH2: readonly Suite[] = [
  { name: "python3-h2 against Node", ways: [ways.h2ToH2, ways.h2ToH1], serve: serveOrigin, ...client },
  { name: "python3-h2 against python3-h2", ways: [ways.h2ToH2], serve: servePythonH2, ...client },
  {
    ...curl,
    name: "curl against python3-h2",
    ways: [ways.h2ToH2],
    tools: ["curl", "python3-h2"],
    serve: servePythonH2,
  },
];

function resultOf({ name, failure, result = {} }: Line): CaseResult {
  if (failure !== undefined) return { name, failure };
  const { fields = {}, trailers = {}, text, bytes, hash, ...rest } = result;
  const seen: Record<string, string> = {};
  for (const [key, value] of Object.entries(rest)) seen[key] = JSON.stringify(value);
  Object.assign(seen, fieldsSeen("answer field", Object.entries(fields as Record<string, string>)));
  Object.assign(seen, fieldsSeen("answer trailer", Object.entries(trailers as Record<string, string>)));
  if (typeof text === "string" && text.startsWith('{"method"')) {
    // The echo is as long as what the application got, which is compared field by field.
    delete seen["answer field content-length"];
    return { name, seen: { ...seen, ...requestSeen(text) } };
  }
  return { name, seen: { ...seen, body: `${String(bytes)} bytes, ${String(hash)}` } };
}
