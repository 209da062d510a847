import type { RunningPeer, Topology } from "./peer.ts";
import { atRate, saturate, saturateHttp2 } from "./load.ts";
import type { LoadResult } from "./load.ts";
import { processTree, usageOf } from "./process-tree.ts";

/** What one round of one scenario measured of one peer. A value that the scenario does not measure is absent. */
export interface Measurement {
  readonly cpuUsPerRequest?: number;
  readonly requestsPerSecond?: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly rssMb?: number;
  readonly pssMb?: number;
  readonly readyMs?: number;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly topology: Topology;
  /** The value that ratios are made of. */
  readonly headline: keyof Measurement;
  measure(peer: RunningPeer, seconds: number): Promise<Measurement>;
}

const megabyte = 1024 * 1024;

async function underLoad(peer: RunningPeer, load: () => Promise<LoadResult>): Promise<Measurement> {
  const pids = peer.pids.flatMap((pid) => processTree(pid));
  const before = usageOf(pids);
  const result = await load();
  const after = usageOf(peer.pids.flatMap((pid) => processTree(pid)));
  if (result.requests === 0) throw new Error(`no request was answered by ${peer.url}`);
  if (result.errors > 0) throw new Error(`${result.errors} of ${result.requests} requests to ${peer.url} failed`);
  return {
    cpuUsPerRequest: (after.cpuUs - before.cpuUs) / result.requests,
    requestsPerSecond: result.requestsPerSecond,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    rssMb: after.rssBytes / megabyte,
    pssMb: after.pssBytes / megabyte,
  };
}

function saturated(connections: number, topology: Topology, title: string): Scenario {
  return {
    name: `${names[topology]}-${connections}`,
    title: `${title}, ${connections} connection${connections === 1 ? "" : "s"}`,
    topology,
    headline: "cpuUsPerRequest",
    measure: async (peer, seconds) => {
      // Compilers, pools and caches warm up first.
      await saturate(peer.url, connections, Math.max(1, Math.ceil(seconds / 2)));
      return underLoad(peer, () => saturate(peer.url, connections, seconds));
    },
  };
}

const names: Readonly<Partial<Record<Topology, string>>> = {
  "one-hop": "http1",
  "two-hops": "mtls",
  "two-hops-http2": "mtls-http2",
  mesh: "mesh",
};

function multiplexed(connections: number, streams: number): Scenario {
  return {
    name: `http2-${connections}x${streams}`,
    title: `HTTP/2 plaintext in, HTTP/1.1 out, ${connections} connections × ${streams} streams`,
    topology: "http2",
    headline: "cpuUsPerRequest",
    measure: async (peer, seconds) => {
      await saturateHttp2(peer.url, connections, streams, Math.max(1, Math.ceil(seconds / 2)));
      return underLoad(peer, () => saturateHttp2(peer.url, connections, streams, seconds));
    },
  };
}

function atFixedRate(name: string, title: string, topology: Topology): Scenario {
  return {
    name,
    title,
    topology,
    headline: "p99Ms",
    measure: async (peer, seconds) => {
      await saturate(peer.url, 10, 1);
      return underLoad(peer, () => atRate(peer.url, 1000, seconds));
    },
  };
}

function atRest(name: string, title: string, topology: Topology): Scenario {
  return {
    name,
    title,
    topology,
    headline: "rssMb",
    measure: (peer) => {
      const usage = usageOf(peer.pids.flatMap((pid) => processTree(pid)));
      return Promise.resolve({
        rssMb: usage.rssBytes / megabyte,
        pssMb: usage.pssBytes / megabyte,
        readyMs: peer.readyMs,
      });
    },
  };
}

/** In the order of the report. */
export const scenarios: readonly Scenario[] = [
  saturated(64, "one-hop", "HTTP/1.1 plaintext"),
  saturated(8, "one-hop", "HTTP/1.1 plaintext"),
  saturated(1, "one-hop", "HTTP/1.1 plaintext"),
  saturated(64, "two-hops", "HTTP/1.1, mutual TLS, two hops"),
  saturated(8, "two-hops", "HTTP/1.1, mutual TLS, two hops"),
  saturated(1, "two-hops", "HTTP/1.1, mutual TLS, two hops"),
  saturated(64, "two-hops-http2", "HTTP/1.1 in, HTTP/2 over mutual TLS between two hops"),
  saturated(8, "two-hops-http2", "HTTP/1.1 in, HTTP/2 over mutual TLS between two hops"),
  saturated(1, "two-hops-http2", "HTTP/1.1 in, HTTP/2 over mutual TLS between two hops"),
  saturated(64, "mesh", "as the mesh has it: HTTP/1.1 in, mutual TLS between two hops"),
  saturated(8, "mesh", "as the mesh has it: HTTP/1.1 in, mutual TLS between two hops"),
  saturated(1, "mesh", "as the mesh has it: HTTP/1.1 in, mutual TLS between two hops"),
  multiplexed(8, 16),
  atFixedRate("rate-1000", "1,000 requests/s, one hop", "one-hop"),
  atFixedRate("rate-1000-mtls", "1,000 requests/s, mutual TLS, two hops", "two-hops"),
  { ...atRest("start", "start to ready", "one-hop"), headline: "readyMs" },
  atRest("idle", "memory, idle", "one-hop"),
  atRest("services-1000", "memory, 1,000 services configured", "thousand-services"),
];
