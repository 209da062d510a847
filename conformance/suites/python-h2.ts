import { fileURLToPath } from "node:url";
import { run } from "../program.ts";
import { serveOrigin } from "../servers/served.ts";
import type { CaseResult, Suite } from "../suite.ts";
import { ways } from "../suite.ts";
import { pythonEnv, pythonWith } from "../tools.ts";
import { fieldsSeen, requestSeen } from "./seen.ts";

interface Line {
  readonly name: string;
  readonly failure?: string;
  readonly result?: Readonly<Record<string, unknown>>;
}

const client = fileURLToPath(new URL("../python/h2_client.py", import.meta.url));

export const pythonH2: Suite = {
  name: "python3-h2 against Node",
  ways: [ways.h2ToH2, ways.h2ToH1],
  tools: ["python3-h2"],
  serve: serveOrigin,
  attempt: async ({ port }) => {
    const python = pythonWith("h2") ?? "python3";
    const { output, errors } = await run(python, [client, String(port)], { env: pythonEnv, limitMs: 200_000 });
    const lines = output.split("\n").filter((line) => line !== "");
    if (lines.length === 0) return [{ name: "all", failure: errors.trim() }];
    return lines.map((line) => resultOf(JSON.parse(line) as Line));
  },
};

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
