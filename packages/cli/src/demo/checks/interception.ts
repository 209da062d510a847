import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { endGroup, spawnGuarded } from "../../local-mesh/guarded-process.ts";
import { findCaller } from "../../local-mesh/namespaces/caller.ts";
import { OwnNamespace } from "../../local-mesh/namespaces/own-namespace.ts";
import type { Check } from "../check.ts";
import { Problems } from "../check.ts";
import type { RunningDemo } from "../running-demo.ts";
import { tcpPorts } from "../tcp-services.ts";

const callerId = "web-0";
const calleeId = "ratings-0";
const limitMs = 30_000;

/**
 * A program that knows nothing of a mesh: it has names and ports, and no variable of ours. It prints what became of each call.
 *
 * @param peer address of another workload, to which it speaks past the service
 */
function ignorantProgram(peer: string): string {
  return `
const net = require("node:net");
const http = async (url) => { const { status } = await fetch(url); return String(status); };
const tcp = (host, port, say) => new Promise((resolve, reject) => {
  let heard = "";
  const socket = net.connect({ host, port });
  socket.setTimeout(10000, () => socket.destroy(new Error("no answer in time")));
  socket.on("connect", () => say !== "" && socket.end(say));
  socket.on("data", (bytes) => (heard += bytes));
  socket.on("close", () => resolve(heard));
  socket.on("error", reject);
});
const calls = {
  http: () => http("http://reviews:9080/healthz"),
  longName: () => http("http://reviews.default.svc.cluster.local:9080/healthz"),
  echo: () => tcp("echo", ${tcpPorts.echo}, "hello"),
  greeter: () => tcp("greeter.default", ${tcpPorts.greeter}, ""),
  direct: () => tcp(${JSON.stringify(peer)}, 9080, "GET /healthz HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\n\\r\\n"),
};
Promise.all(Object.entries(calls).map(async ([name, call]) =>
  [name, await call().catch((error) => "failed: " + (error.cause ?? error).message)],
)).then((told) => console.log(JSON.stringify({ ...Object.fromEntries(told), uid: process.getuid() })));
`;
}

interface Told {
  readonly http: string;
  readonly longName: string;
  readonly echo: string;
  readonly greeter: string;
  readonly direct: string;
  readonly uid: number;
}

export const interception: Check = {
  name: "interception",
  title:
    "a program that knows nothing reaches services by name, over HTTP and TCP, and other workloads in no other way",

  async run(demo) {
    const problems = new Problems();
    const { uid } = findCaller();
    const told = await runIgnorantProgram(demo);
    problems.require(told.http === "200", `http://reviews:9080/: ${told.http}`);
    problems.require(told.longName === "200", `http://reviews.default.svc.cluster.local:9080/: ${told.longName}`);
    problems.require(told.echo === "hello", `echo:${tcpPorts.echo}: ${told.echo}`);
    problems.require(
      told.greeter === `welcome, says user ${uid}\n`,
      `greeter.default:${tcpPorts.greeter}, which speaks first: ${told.greeter}`,
    );
    problems.require(told.uid === uid, `programs run as user ${told.uid}, and not as ${uid}, who called`);
    problems.require(!told.direct.startsWith("HTTP/"), `${calleeId} answers plaintext: ${told.direct.slice(0, 80)}`);
    return {
      problems: problems.list,
      evidence: `as user ${uid} without a variable of ours: reviews over HTTP by two names, echo over TCP, greeter, which speaks first; plaintext to ${calleeId} past its service refused`,
    };
  },

  async sabotage(demo) {
    const { namespace } = placeOf(demo);
    const rule = ["HEDDLE_REDIRECT", "-p", "tcp", "-j", "RETURN"];
    await namespace.run(["iptables", "-t", "nat", "-I", ...rule]);
    await namespace.run(["ip6tables", "-t", "nat", "-I", ...rule]).catch(() => "");
    return async () => {
      await namespace.run(["iptables", "-t", "nat", "-D", ...rule]);
      await namespace.run(["ip6tables", "-t", "nat", "-D", ...rule]).catch(() => "");
    };
  },
};

function placeOf(demo: RunningDemo): OwnNamespace {
  const { place } = demo.replica(callerId);
  if (!(place instanceof OwnNamespace)) throw new Error(`${callerId} has no network of its own`);
  return place;
}

async function runIgnorantProgram(demo: RunningDemo): Promise<Told> {
  const program = ignorantProgram(demo.replica(calleeId).instance.address);
  const child = spawnGuarded(
    placeOf(demo).applicationCommand({
      command: [process.execPath, "-e", program],
      cwd: "/",
      env: { PATH: process.env["PATH"] },
    }),
  );
  const timer = setTimeout(() => endGroup(child), limitMs);
  const read = async (stream: Readable | null): Promise<string> => (stream === null ? "" : text(stream));
  try {
    const [stdout, stderr] = await Promise.all([read(child.stdout), read(child.stderr)]);
    if (stdout === "") throw new Error(`the program said nothing: ${stderr.trim()}`);
    return JSON.parse(stdout) as Told;
  } finally {
    clearTimeout(timer);
  }
}
