/**
 * `npm run bench`: Heddle beside what a user would pick instead, in one run on one machine. Peers take turns within each
 * round, so that a noisy minute hits all of them.
 */
import { fork } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ThrowawayCa } from "@heddle/testkit";
import { judgeBars } from "./bars.ts";
import { findProgram } from "../scripts/find-program.ts";
import { writePage } from "./page.ts";
import type { Peer, Site } from "./peer.ts";
import { envoy, envoyHttp2, heddle, heddleVirtual } from "./peers/envoy-api.ts";
import { haproxy, haproxyTcp } from "./peers/haproxy.ts";
import { nginx } from "./peers/nginx.ts";
import { formatReport } from "./report.ts";
import type { PeerRounds, Report, ScenarioResult } from "./report.ts";
import { scenarios } from "./scenarios.ts";
import type { BackendPorts } from "./servers/main.ts";
import type { Measurement, Scenario } from "./scenarios.ts";

const usage = `usage: npm run bench -- [--rounds 5] [--seconds 4] [--only http1-64,mtls-64,…] [--peers heddle,envoy,…] [--json FILE] [--write-page]

Scenarios: ${scenarios.map(({ name }) => name).join(", ")}
Needs wrk, and h2load for HTTP/2, gRPC and the scenarios at a fixed rate. Peers that are not installed are named and left out.
--write-page keeps what was measured in bench/results.json and writes docs/reference/performance.md from all that is kept there.
Exits 1 when Heddle failed in a scenario, or a bar (bench/bars.ts) is missed.`;

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    only: { type: "string", default: "" },
    peers: { type: "string", default: "" },
    json: { type: "string", default: "" },
    "write-page": { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
const allPeers: readonly Peer[] = [heddle, envoy, envoyHttp2, nginx, haproxy, haproxyTcp, heddleVirtual];

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function positive(text: string, name: string): number {
  const value = Number(text);
  return Number.isFinite(value) && value > 0 ? value : fail(`--${name} takes a number above 0, not ${text}`);
}

function pick<T extends { readonly name: string }>(all: readonly T[], wanted: string, what: string): readonly T[] {
  if (wanted === "") return all;
  return wanted
    .split(",")
    .map(
      (name) =>
        all.find((one) => one.name === name) ??
        fail(`there is no ${what} ${name}; known: ${all.map((one) => one.name).join(", ")}`),
    );
}

async function makeSite(folder: string): Promise<{ site: Site; stop: () => void }> {
  const authority = await ThrowawayCa.create();
  const identity = await authority.issue("spiffe://cluster.local/ns/default/sa/bench", { dnsNames: ["bench.example"] });
  const tls = { ca: join(folder, "ca.pem"), certificate: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  await writeFile(tls.ca, authority.certificatePem);
  await writeFile(tls.certificate, identity.chainPem);
  await writeFile(tls.key, identity.privateKeyPem, { mode: 0o600 });
  const applications = fork(fileURLToPath(new URL("servers/main.ts", import.meta.url)));
  const backends = await new Promise<BackendPorts>((resolve, reject) => {
    applications.once("message", (message) => resolve(message as BackendPorts));
    applications.once("error", reject);
  });
  return { site: { folder, backends, tls }, stop: () => applications.disconnect() };
}

async function runScenario(
  scenario: Scenario,
  peers: readonly Peer[],
  site: Site,
  rounds: number,
  seconds: number,
): Promise<ScenarioResult> {
  const able = peers.filter((peer) => peer.topologies.includes(scenario.topology));
  const measured = new Map<string, Measurement[]>(able.map((peer) => [peer.name, []]));
  const failures: { peer: string; reason: string }[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const peer of able) {
      if (failures.some((failure) => failure.peer === peer.name)) continue;
      process.stderr.write(`\r${scenario.name} round ${round + 1}/${rounds} ${peer.name}                    `);
      try {
        const running = await peer.start(scenario.topology, site);
        try {
          measured.get(peer.name)?.push(await scenario.measure(running, seconds, site));
        } finally {
          await running.stop();
        }
      } catch (error) {
        failures.push({ peer: peer.name, reason: error instanceof Error ? error.message : String(error) });
      }
    }
  }
  process.stderr.write("\r");
  const results: PeerRounds[] = able.map((peer) => ({ peer: peer.name, rounds: measured.get(peer.name) ?? [] }));
  return { scenario, peers: results, failures };
}

async function main(): Promise<void> {
  if (options.help) {
    process.stdout.write(`${usage}\n`);
    return;
  }
  const rounds = positive(options.rounds, "rounds");
  const seconds = positive(options.seconds, "seconds");
  const chosen = pick(scenarios, options.only, "scenario");
  const candidates = pick(allPeers, options.peers, "peer");
  if (findProgram("wrk") === undefined) fail("wrk is not on the PATH: install the Debian package wrk");
  const versions: Record<string, string> = {};
  const missing: Record<string, string> = {};
  for (const peer of candidates) {
    const probed = await peer.probe();
    if ("version" in probed) versions[peer.name] = probed.version;
    else missing[peer.name] = probed.missing;
  }
  const peers = candidates.filter(({ name }) => versions[name] !== undefined);
  const folder = await mkdtemp(join(tmpdir(), "heddle-bench-"));
  const { site, stop } = await makeSite(folder);
  const results: ScenarioResult[] = [];
  try {
    for (const scenario of chosen) {
      const result = await runScenario(scenario, peers, site, rounds, seconds);
      results.push(result);
    }
  } finally {
    stop();
    await rm(folder, { recursive: true, force: true });
  }
  const report: Report = {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown processor"}, ${Math.round(totalmem() / 2 ** 30)} GB, Linux, Node ${process.versions.node}`,
    rounds,
    secondsPerRound: seconds,
    versions,
    missing,
    results,
  };
  const text = formatReport(report);
  process.stdout.write(text);
  if (options.json !== "") await writeFile(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  if (options["write-page"]) await writePage(report);
  const verdicts = judgeBars(results);
  for (const { text: verdict } of verdicts) process.stdout.write(`\n${verdict}\n`);
  const hasFailed = results.some(({ failures }) => failures.some(({ peer }) => peer === "heddle"));
  // Who asks for one scenario wants its bar judged: that it could not be is no success.
  const isUnjudged = options.only !== "" && verdicts.some(({ holds }) => holds === undefined);
  if (hasFailed || isUnjudged || verdicts.some(({ holds }) => holds === false)) process.exitCode = 1;
}

await main();
