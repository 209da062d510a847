import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "@heddle/testkit";
import { run, ServerProgram } from "../program.ts";
import { serveOrigin } from "../servers/served.ts";
import type { CaseResult, Served, Site, Suite, Target } from "../suite.ts";
import { ways } from "../suite.ts";
import { program } from "../tools.ts";

/** `nghttpd`, nghttp2's own server, on a folder of files; it sends a trailer with each. */
async function serveNghttpd({ folder }: Site): Promise<Served> {
  await writeFile(join(folder, "small"), "hello from nghttpd\n");
  await writeFile(join(folder, "large"), Buffer.alloc(3_000_000, "0123456789"));
  const port = await freePort();
  const args = ["--no-tls", "--address=127.0.0.1", "--trailer=x-checksum: abc", "--echo-upload", "-v", "-d", folder];
  const { server } = await ServerProgram.start(program("nghttpd"), [...args, String(port)], /listen/i);
  return { ports: { h2: port }, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** What `nghttp` prints with `-v` of the answer, without frames and times. */
async function nghttp(name: string, url: string, args: readonly string[], folder: string): Promise<CaseResult> {
  const { code, output, errors } = await run(program("nghttp"), [...args, url], { cwd: folder });
  if (code !== 0) return { name, failure: `exit code ${code}: ${errors.trim()}` };
  const hash = createHash("sha256").update(output).digest("hex").slice(0, 12);
  return output === "" ? { name, failure: "no answer" } : { name, seen: { body: `${output.length} bytes, ${hash}` } };
}

/** Whether `h2load` says that every request succeeded, and how many bytes of bodies it got. */
async function h2load(name: string, url: string, args: readonly string[], folder: string): Promise<CaseResult> {
  const { output, errors } = await run(program("h2load"), [...args, url], { cwd: folder, limitMs: 120_000 });
  const requests = /^requests: .*$/m.exec(output)?.[0] ?? errors.trim();
  const [, total, succeeded] = /(\d+) total.* (\d+) succeeded/.exec(requests) ?? [];
  if (total === undefined || total !== succeeded) return { name, failure: requests };
  const bytes = /\((\d+)\) data/.exec(output)?.[1] ?? "?";
  return { name, seen: { requests: `${succeeded} succeeded`, "bytes of bodies": bytes } };
}

function loads({ port, protocol }: Target, path: string, folder: string): (() => Promise<CaseResult>)[] {
  const url = `http://127.0.0.1:${port}${path}`;
  const version = protocol === "h1" ? ["--h1"] : [];
  return [
    () => h2load("5,000 requests on 10 connections", url, ["-n", "5000", "-c", "10", ...version], folder),
    ...(protocol === "h1"
      ? []
      : [
          () => h2load("5,000 requests, 100 streams at once", url, ["-n", "5000", "-c", "2", "-m", "100"], folder),
          () => h2load("small windows", url, ["-n", "200", "-c", "2", "-m", "10", "-w", "10", "-W", "12"], folder),
        ]),
  ];
}

async function inTurn(cases: readonly (() => Promise<CaseResult>)[]): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  for (const one of cases) results.push(await one());
  return results;
}

export const h2loadAgainstNode: Suite = {
  name: "h2load against Node",
  ways: [ways.h1ToH1, ways.h2ToH2, ways.h2ToH1],
  tools: ["h2load"],
  serve: serveOrigin,
  attempt: async (target, { folder }) => {
    await writeFile(join(folder, "body"), Buffer.alloc(50_000, "0123456789"));
    const posts = ["-n", "500", "-c", "5", "-d", "body", ...(target.protocol === "h1" ? ["--h1"] : ["-m", "10"])];
    const back = `http://127.0.0.1:${target.port}/back`;
    return inTurn([
      ...loads(target, "/bytes?n=2000&length", folder),
      () => h2load("500 bodies there and back", back, posts, folder),
    ]);
  },
};

export const nghttpAgainstNghttpd: Suite = {
  name: "nghttp and h2load against nghttpd",
  ways: [ways.h2ToH2],
  tools: ["nghttp", "h2load", "nghttpd"],
  serve: serveNghttpd,
  attempt: async (target, { folder }) => {
    const url = `http://127.0.0.1:${target.port}`;
    return inTurn([
      () => nghttp("GET", `${url}/small`, [], folder),
      () => nghttp("GET of three megabytes", `${url}/large`, [], folder),
      () => nghttp("ten of one on one connection", `${url}/small`, ["--multiply=10"], folder),
      () => nghttp("padding", `${url}/small`, ["--padding=100"], folder),
      () => nghttp("a continued head", `${url}/small`, ["--continuation"], folder),
      () =>
        nghttp("windows of one kilobyte", `${url}/large`, ["--window-bits=10", "--connection-window-bits=10"], folder),
      () => nghttp("no dynamic table", `${url}/small`, ["--header-table-size=0"], folder),
      () => nghttp("POST", `${url}/small`, ["--data=large"], folder),
      () => nghttp("POST that expects 100-continue", `${url}/small`, ["--data=small", "--expect-continue"], folder),
      () => nghttp("POST with trailers", `${url}/small`, ["--data=small", "--trailer=x-sum: abc"], folder),
      ...loads(target, "/small", folder),
    ]);
  },
};
