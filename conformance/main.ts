/**
 * `npm run test:conformance`: foreign clients at foreign servers, straight and through a Heddle proxy. Nothing may fail
 * that passed straight, and every other difference needs a reason in differences.ts.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ThrowawayCa } from "@heddle/testkit";
import { compare } from "./compare.ts";
import type { Comparison } from "./compare.ts";
import { knownDifferences } from "./differences.ts";
import { ConformanceProxy } from "./proxy.ts";
import { formatPage, problemsOf } from "./report.ts";
import type { SkippedSuite } from "./report.ts";
import type { CaseResult, Protocol, Served, Site, Suite } from "./suite.ts";
import { suites } from "./suites/index.ts";
import { missingTools, toolVersion } from "./tools.ts";

const usage = `usage: npm run test:conformance -- [--only h2spec,curl,…] [--verbose]

Suites: ${suites.map(({ name }) => name).join("; ")}
--only takes parts of their names. A whole run writes docs/reference/conformance.md.
Exits 1 when something failed through the proxy that passed straight, or a difference has no reason in conformance/differences.ts.`;

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    verbose: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
const page = fileURLToPath(new URL("../docs/reference/conformance.md", import.meta.url));

async function makeSite(folder: string): Promise<Site> {
  const authority = await ThrowawayCa.create();
  const leaf = await authority.issue("spiffe://cluster.local/ns/shop/sa/conformance", { dnsNames: ["localhost"] });
  const tls = { certificate: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  await writeFile(tls.certificate, leaf.chainPem);
  await writeFile(tls.key, leaf.privateKeyPem, { mode: 0o600 });
  return { folder, tls };
}

async function runSuite(suite: Suite, site: Site): Promise<Comparison[]> {
  const served = await suite.serve(site);
  try {
    const proxy = await ConformanceProxy.start(suite.ways, served, site);
    try {
      return await runWays(suite, served, proxy, site);
    } finally {
      await proxy[Symbol.asyncDispose]();
    }
  } finally {
    await served[Symbol.asyncDispose]();
  }
}

async function runWays(suite: Suite, served: Served, proxy: ConformanceProxy, site: Site): Promise<Comparison[]> {
  const straight = new Map<Protocol, CaseResult[]>();
  const comparisons: Comparison[] = [];
  for (const way of suite.ways) {
    const protocol: Protocol = way.hops[0] ?? "h1";
    const port = served.ports[protocol];
    if (port === undefined) throw new Error(`the server of ${suite.name} does not speak ${protocol}`);
    let before = straight.get(protocol);
    if (before === undefined) {
      before = await suite.attempt({ port, protocol }, site);
      straight.set(protocol, before);
      if (options.verbose) printFailures(`${suite.name} straight`, before);
    }
    const after = await suite.attempt({ port: await proxy.port(way), protocol }, site);
    if (options.verbose) printFailures(`${suite.name} ${way.name}`, after);
    const comparison = compare(suite, way.name, before, after, knownDifferences);
    comparisons.push(comparison);
    console.log(lineOf(comparison));
    for (const problem of problemsOf(comparison)) console.log(`    ${problem}`);
  }
  // What it says of bad clients is what the suites make it say; a warning or an error would be of itself.
  if (options.verbose) console.log(proxy.log.match(/^.* (?:warn|error) .*$/gm)?.join("\n") ?? "");
  return comparisons;
}

function printFailures(where: string, results: readonly CaseResult[]): void {
  for (const { name, failure } of results) {
    if (failure !== undefined) console.log(`    (${where}) ${name}: ${failure}`);
  }
}

function lineOf(comparison: Comparison): string {
  const { suite, way, cases, passedStraight, passedThrough, differences } = comparison;
  const mark = problemsOf(comparison).length === 0 ? "√" : "×";
  const figures = `${passedStraight} straight, ${passedThrough} through, of ${cases}; ${differences.length} differences`;
  return `${mark} ${suite} · ${way}: ${figures}`;
}

async function main(): Promise<void> {
  if (options.help) {
    process.stdout.write(`${usage}\n`);
    return;
  }
  const parts = options.only.split(",").filter((part) => part !== "");
  const chosen = suites.filter(({ name }) => parts.length === 0 || parts.some((part) => name.includes(part)));
  if (chosen.length === 0) {
    process.stderr.write(`no suite is called ${options.only}\n\n${usage}\n`);
    process.exitCode = 2;
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), "heddle-conformance-"));
  const comparisons: Comparison[] = [];
  const skipped: SkippedSuite[] = [];
  const problems: string[] = [];
  try {
    const site = await makeSite(folder);
    for (const suite of chosen) {
      const missing = missingTools(suite.tools);
      if (missing.length > 0) {
        skipped.push({ suite: suite.name, missing });
        console.log(`SKIPPED ${suite.name}: needs ${missing.join("; ")}`);
        continue;
      }
      try {
        comparisons.push(...(await runSuite(suite, site)));
      } catch (error) {
        problems.push(`${suite.name}: ${error instanceof Error ? error.message : String(error)}`);
        console.log(`× ${problems.at(-1)}`);
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  problems.push(...comparisons.flatMap(problemsOf));
  const isWhole = parts.length === 0;
  if (isWhole && skipped.length === 0) problems.push(...unmetReasons(comparisons));
  if (isWhole) {
    const tools = [...new Set(chosen.flatMap((suite) => suite.tools))].filter(
      (name) => missingTools([name]).length === 0,
    );
    const versions = Object.fromEntries(tools.map((name) => [name, toolVersion(name)]));
    await writeFile(page, formatPage({ comparisons, skipped, versions }));
  }
  for (const problem of problems) console.log(`× ${problem}`);
  const through = comparisons.reduce((sum, { passedThrough }) => sum + passedThrough, 0);
  console.log(
    `${through} cases passed through the proxy, ${problems.length} problems, ${skipped.length} suites skipped`,
  );
  if (problems.length > 0) process.exitCode = 1;
}

/** Entries of differences.ts that nothing in this run needed. */
function unmetReasons(comparisons: readonly Comparison[]): string[] {
  const met = new Set(comparisons.flatMap(({ differences }) => differences.map(({ reason }) => reason)));
  return knownDifferences
    .filter(({ reason }) => !met.has(reason))
    .map(({ pattern }) => `conformance/differences.ts: nothing matches ${pattern.source}: remove it`);
}

await main();
