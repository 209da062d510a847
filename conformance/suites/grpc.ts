import { fileURLToPath } from "node:url";
import { run, ServerProgram } from "../program.ts";
import type { CaseResult, Served, Suite } from "../suite.ts";
import { ways } from "../suite.ts";
import { pythonEnv, pythonWith } from "../tools.ts";
import { runGrpcJsClient } from "./grpc-js-client.ts";
import { grpcSeen } from "./seen.ts";

interface Peer {
  readonly name: string;
  readonly tools: readonly string[];
  serve(): Promise<Served>;
  call(port: number): Promise<CaseResult[]>;
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

async function served(program: string, script: string, env: Readonly<Record<string, string>>): Promise<Served> {
  const { server, match } = await ServerProgram.start(program, [here(script)], /port (\d+)/, env);
  return { ports: { h2: Number(match[1]) }, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

const grpcJs: Peer = {
  name: "@grpc/grpc-js",
  tools: [],
  serve: () => served(process.execPath, "../servers/grpc-js.ts", {}),
  call: runGrpcJsClient,
};

const grpcio: Peer = {
  name: "python3-grpcio",
  tools: ["python3-grpcio"],
  serve: () => served(pythonWith("grpc") ?? "python3", "../python/grpc_server.py", pythonEnv),
  call: async (port) => {
    const args = [here("../python/grpc_client.py"), String(port)];
    const { output, errors } = await run(pythonWith("grpc") ?? "python3", args, { env: pythonEnv, limitMs: 120_000 });
    const lines = output.split("\n").filter((line) => line !== "");
    if (lines.length === 0) return [{ name: "all", failure: errors.trim() }];
    return lines.map((line) => {
      const { name, failure, result } = JSON.parse(line) as { name: string; failure?: string; result?: object };
      return failure === undefined ? { name, seen: grpcSeen(result ?? {}) } : { name, failure };
    });
  },
};

/** Each gRPC implementation as a client of each. */
export const grpcSuites: readonly Suite[] = [grpcJs, grpcio].flatMap((client) =>
  [grpcJs, grpcio].map((server) => ({
    name: `${client.name} against ${server.name}`,
    ways: [ways.h2ToH2],
    tools: [...new Set([...client.tools, ...server.tools])],
    serve: () => server.serve(),
    attempt: ({ port }) => client.call(port),
  })),
);
