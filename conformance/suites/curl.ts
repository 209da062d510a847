import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../program.ts";
import { serveOrigin } from "../servers/served.ts";
import type { CaseResult, Site, Suite, Target } from "../suite.ts";
import { ways } from "../suite.ts";
import { program } from "../tools.ts";
import { fieldsSeen, requestSeen, shortened } from "./seen.ts";

interface Case {
  readonly name: string;
  readonly path: string;
  readonly args?: readonly string[];
  /** curl's exit codes that are right; 0 when it is left out. */
  readonly codes?: readonly number[];
  readonly status?: number;
  readonly http1Only?: true;
}

const post = ["--data-binary", "@small.txt"];
const upload = ["--data-binary", "@large.bin", "-H", "content-type: application/octet-stream"];

const cases: readonly Case[] = [
  { name: "GET", path: "/" },
  { name: "HEAD", path: "/bytes?n=5000&length", args: ["--head"] },
  { name: "GET with a query and escapes", path: "/echo?a=%2F%20b&c=%C3%A9" },
  { name: "POST", path: "/echo", args: post },
  { name: "POST of a megabyte", path: "/echo", args: upload },
  { name: "POST without a length", path: "/echo", args: [...upload, "-H", "transfer-encoding: chunked"] },
  { name: "POST of nothing", path: "/echo", args: ["--data", ""] },
  { name: "POST that expects 100-continue", path: "/echo", args: [...upload, "-H", "expect: 100-continue"] },
  { name: "a megabyte there and back", path: "/back", args: upload },
  { name: "PUT", path: "/echo", args: ["--upload-file", "small.txt"] },
  { name: "PATCH", path: "/echo", args: ["--request", "PATCH", ...post] },
  { name: "DELETE", path: "/echo", args: ["--request", "DELETE"] },
  { name: "OPTIONS", path: "/echo", args: ["--request", "OPTIONS"] },
  { name: "a method nobody knows", path: "/echo", args: ["--request", "PURGE"] },
  { name: "a header of 8,000 bytes", path: "/echo", args: ["-H", `x-large: ${"v".repeat(8000)}`] },
  {
    name: "80 headers",
    path: "/echo",
    args: Array.from({ length: 80 }, (_, index) => ["-H", `x-many-${index}: ${index}`]).flat(),
  },
  { name: "one name twice, an empty value", path: "/echo", args: ["-H", "x-a: 1", "-H", "x-a: 2", "-H", "x-empty;"] },
  { name: "cookies both ways", path: "/cookies", args: ["--cookie", "one=1; two=2"] },
  { name: "TE: trailers", path: "/echo", args: ["-H", "te: trailers"] },
  { name: "answer with trailers", path: "/trailers", args: ["-H", "te: trailers"] },
  { name: "answer in chunks", path: "/chunks" },
  { name: "answer of five megabytes", path: "/bytes?n=5000000" },
  { name: "answer with large headers", path: "/fields?count=8&bytes=3000" },
  { name: "answer with 60 headers", path: "/fields?count=60&bytes=10" },
  // On HTTP/2 curl 7.88 loses an answer that comes with RST_STREAM (NO_ERROR); python3-h2 tries it there.
  { name: "answer before the body has come", path: "/early", args: upload, status: 403, http1Only: true },
  { name: "103 before the answer", path: "/hints" },
  { name: "204", path: "/status?code=204", status: 204 },
  { name: "304", path: "/status?code=304", status: 304 },
  { name: "302 with a relative location", path: "/status?code=302&location", status: 302 },
  { name: "404", path: "/nowhere", status: 404 },
  { name: "500", path: "/status?code=500", status: 500 },
  // 18: partial file; 56: reset; 92: HTTP/2 stream not closed cleanly.
  { name: "answer that is cut off", path: "/cut", codes: [18, 56, 92] },
  // 52: nothing came back.
  { name: "cut off before the answer", path: "/cut-at-once", codes: [0, 52, 56, 92] },
];

export const curl: Suite = {
  name: "curl against Node",
  ways: [ways.h1ToH1, ways.h2ToH2, ways.h2ToH1],
  tools: ["curl"],
  serve: serveOrigin,
  attempt: async (target, site) => {
    await writeFile(join(site.folder, "small.txt"), "a small body\n");
    await writeFile(join(site.folder, "large.bin"), Buffer.alloc(1_000_000, "large body "));
    const results: CaseResult[] = [];
    const isHttp1 = target.protocol === "h1";
    for (const one of cases.filter(({ http1Only }) => isHttp1 || http1Only !== true))
      results.push(await attempt(one, target, site));
    return results;
  },
};

async function attempt(one: Case, { port, protocol }: Target, { folder }: Site): Promise<CaseResult> {
  const { name, path, args = [], codes = [0], status } = one;
  const url = `http://127.0.0.1:${port}${path}`;
  const version = protocol === "h1" ? "--http1.1" : "--http2-prior-knowledge";
  const common = [
    "--silent",
    "--show-error",
    "--max-time",
    "30",
    "--include",
    version,
    "--write-out",
    "\n=%{http_code}",
  ];
  const { code, output, errors } = await run(program("curl"), [...common, url, ...args], { cwd: folder });
  if (code === undefined || !codes.includes(code)) return { name, failure: `exit code ${code}: ${errors.trim()}` };
  const got = Number(/\n=(\d+)$/.exec(output)?.[1]);
  if (codes.length === 1 && got !== (status ?? 200)) return { name, failure: `status ${got}` };
  return {
    name,
    seen: {
      ...answerSeen(output.replace(/\n=\d+$/, ""), path),
      ...(code === 0 ? {} : { "curl ends with": String(code) }),
    },
  };
}

/** Heads, body and trailers as `--include` prints them: trailers, too, stand behind the body. */
function answerSeen(text: string, path: string): Record<string, string> {
  const seen: Record<string, string> = {};
  let rest = text;
  for (;;) {
    const head = /^HTTP\/[\d.]+ (\d+)[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n/.exec(rest);
    if (head === null) break;
    rest = rest.slice(head[0].length);
    const status = head[1] ?? "";
    seen["status"] = seen["status"] === undefined ? status : `${seen["status"]}, ${status}`;
    const fields = (head[2] ?? "").split("\r\n").map((line) => line.split(/:\s*(.*)/s, 2) as [string, string]);
    Object.assign(
      seen,
      fieldsSeen(
        status.startsWith("1") ? `${status} field` : "answer field",
        fields.filter(([field]) => field !== ""),
      ),
    );
  }
  if (path.startsWith("/echo") && rest.startsWith("{")) {
    // The echo is as long as what the application got, which is compared field by field.
    delete seen["answer field content-length"];
    return { ...seen, ...requestSeen(rest) };
  }
  return { ...seen, body: shortened(rest) };
}
