import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { program } from "../tools.ts";
import { run } from "../program.ts";
import { serveOrigin } from "../servers/served.ts";
import type { CaseResult, Site, Suite, Target } from "../suite.ts";
import { ways } from "../suite.ts";

/** Every case of h2spec, those of RFC 9113's "should" included. */
export const h2spec: Suite = {
  name: "h2spec against Node",
  ways: [ways.h2ToH2, ways.h2ToH1, ways.tlsToH2, ways.tlsToH1],
  tools: ["h2spec"],
  allMustPass: true,
  serve: serveOrigin,
  attempt,
};

async function attempt({ port, protocol }: Target, { folder }: Site): Promise<CaseResult[]> {
  const report = join(folder, "h2spec.xml");
  await rm(report, { force: true });
  const tls = protocol === "h2-tls" ? ["--tls", "--insecure"] : [];
  // On a machine that is busy the default of two seconds is no verdict.
  const args = ["--strict", "--timeout", "10", "--port", String(port), "--junit-report", report, ...tls];
  const { errors } = await run(program("h2spec"), args, { limitMs: 500_000 });
  const xml = await readFile(report, "utf8").catch(() => "");
  const results = parseJunit(xml);
  return results.length > 0 ? results : [{ name: "all", failure: `no report: ${errors.trim()}` }];
}

/** Cases of h2spec's report: `<testcase package classname>` with `failure`, `skipped` or neither in it. */
function parseJunit(xml: string): CaseResult[] {
  const cases = /<testcase package="([^"]*)" classname="([^"]*)"[^>]*?(?:\/>|>([^]*?)<\/testcase>)/g;
  return [...xml.matchAll(cases)].map(([, section = "", title = "", content = ""]) => {
    const name = `${section} ${plain(title)}`;
    if (content.includes("<skipped")) return { name, failure: "skipped by h2spec" };
    const failure = /<(?:failure|error)[^>]*>([^]*?)<\/(?:failure|error)>/.exec(content);
    return failure === null
      ? { name }
      : {
          name,
          failure: plain(failure[1] ?? "")
            .replaceAll(/\s+/g, " ")
            .trim(),
        };
  });
}

function plain(text: string): string {
  const entities: Readonly<Record<string, string>> = { quot: '"', apos: "'", lt: "<", gt: ">", amp: "&" };
  return text
    .replaceAll(/&#(x?)([0-9A-F]+);/gi, (_, hex: string, digits: string) =>
      String.fromCodePoint(Number.parseInt(digits, hex === "" ? 10 : 16)),
    )
    .replaceAll(/&(\w+);/g, (all, name: string) => entities[name] ?? all);
}
