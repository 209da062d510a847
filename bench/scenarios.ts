import type { RunningPeer, Site, Topology } from "./peer.ts";
import { bulkPath } from "./servers/http1.ts";
import { atRate, holdIdle, runClient, saturate, saturateGrpc, saturateHttp2 } from "./load.ts";
import type { Counted, LoadResult } from "./load.ts";
import { processTree, usageOf } from "./process-tree.ts";
import type { Usage } from "./process-tree.ts";

/** What one round of one scenario measured of one peer. A value that the scenario does not measure is absent. */
export interface Measurement {
  readonly cpuUsPerRequest?: number;
  readonly cpuUsPerMessage?: number;
  readonly cpuUsPerMebibyte?: number;
  readonly cpuUsPerConnection?: number;
  readonly requestsPerSecond?: number;
  readonly messagesPerSecond?: number;
  readonly mebibytesPerSecond?: number;
  readonly connectionsPerSecond?: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly rssMb?: number;
  readonly pssMb?: number;
  readonly readyMs?: number;
  readonly kilobytesPerConnection?: number;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly topology: Topology;
  /** The value that ratios are made of. */
  readonly headline: keyof Measurement;
  measure(peer: RunningPeer, seconds: number, site: Site): Promise<Measurement>;
}

const megabyte = 1024 * 1024;

function usageNow(peer: RunningPeer): Usage {
  return usageOf(peer.pids.flatMap((pid) => processTree(pid)));
}

type UnderLoad = Required<
  Pick<Measurement, "cpuUsPerRequest" | "requestsPerSecond" | "p50Ms" | "p99Ms" | "rssMb" | "pssMb">
>;

async function underLoad(peer: RunningPeer, load: () => Promise<LoadResult>): Promise<UnderLoad> {
  const before = usageNow(peer);
  const result = await load();
  const after = usageNow(peer);
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

function unaryGrpc(connections: number, streams: number): Scenario {
  return {
    name: `grpc-${connections}x${streams}`,
    title: `gRPC unary, HTTP/2 in and out, ${connections} connections × ${streams} streams`,
    topology: "grpc",
    headline: "cpuUsPerRequest",
    measure: async (peer, seconds) => {
      await saturateGrpc(peer.url, connections, streams, Math.max(1, Math.ceil(seconds / 2)));
      return underLoad(peer, () => saturateGrpc(peer.url, connections, streams, seconds));
    },
  };
}

/** CPU of the peer for each thing that a client of ours counted. */
async function perCounted(
  peer: RunningPeer,
  load: () => Promise<Counted>,
): Promise<{ cpuUs: number; perSecond: number }> {
  const before = usageNow(peer);
  const { count, seconds, errors } = await load();
  const after = usageNow(peer);
  if (errors > 0 || count === 0) throw new Error(`${errors} failed and ${count} succeeded at ${peer.url}`);
  return { cpuUs: (after.cpuUs - before.cpuUs) / count, perSecond: count / seconds };
}

function streamedGrpc(streams: number): Scenario {
  return {
    name: `grpc-stream-${streams}`,
    title: `gRPC server streaming, messages of 1 KB, ${streams} stream${streams === 1 ? "" : "s"} on one connection`,
    topology: "grpc",
    headline: "cpuUsPerMessage",
    measure: async (peer, seconds) => {
      const load = (duration: number): Promise<Counted> =>
        runClient("grpc-stream", [peer.port, streams, duration].map(String));
      await load(Math.max(1, Math.ceil(seconds / 2)));
      const { cpuUs, perSecond } = await perCounted(peer, () => load(seconds));
      return { cpuUsPerMessage: cpuUs, messagesPerSecond: perSecond };
    },
  };
}

/** wrk reads answers of 1 MiB, so that one request is one mebibyte. */
function bulk(connections: number, topology: "tcp" | "tls-relay" | "mesh", title: string): Scenario {
  return {
    name: `${topology === "mesh" ? "mesh-bulk" : topology}-${connections}`,
    title: `${title}, bulk, ${connections} connection${connections === 1 ? "" : "s"}`,
    topology,
    headline: "cpuUsPerMebibyte",
    measure: async (peer, seconds) => {
      const url = new URL(bulkPath, peer.url).href;
      await saturate(url, connections, Math.max(1, Math.ceil(seconds / 2)));
      const { cpuUsPerRequest, requestsPerSecond, p50Ms, p99Ms } = await underLoad(peer, () =>
        saturate(url, connections, seconds),
      );
      return { cpuUsPerMebibyte: cpuUsPerRequest, mebibytesPerSecond: requestsPerSecond, p50Ms, p99Ms };
    },
  };
}

function handshakes(mode: "full" | "resume", title: string): Scenario {
  return {
    name: `handshakes-${mode}`,
    title,
    topology: "tls-front",
    headline: "cpuUsPerConnection",
    measure: async (peer, seconds, { tls }) => {
      const load = (duration: number): Promise<Counted> =>
        runClient("handshakes", [`${peer.port}`, `${duration}`, tls.ca, tls.certificate, tls.key, mode]);
      await load(Math.max(1, Math.ceil(seconds / 2)));
      const { cpuUs, perSecond } = await perCounted(peer, () => load(seconds));
      return { cpuUsPerConnection: cpuUs, connectionsPerSecond: perSecond };
    },
  };
}

/** What each of many connections costs that have had one request and say nothing more. */
function idleConnections(count: number, topology: "one-hop" | "tls-front", title: string): Scenario {
  return {
    name: topology === "one-hop" ? "idle-tcp" : "idle-tls",
    title: `memory, ${count.toLocaleString("en")} idle connections, ${title}`,
    topology,
    headline: "kilobytesPerConnection",
    measure: async (peer, _seconds, { tls }) => {
      const before = usageNow(peer);
      const credentials = topology === "tls-front" ? [tls.ca, tls.certificate, tls.key] : [];
      const held = await holdIdle([`${peer.port}`, `${count}`, ...credentials]);
      try {
        const after = usageNow(peer);
        return {
          kilobytesPerConnection: (after.rssBytes - before.rssBytes) / 1024 / count,
          rssMb: after.rssBytes / megabyte,
          pssMb: after.pssBytes / megabyte,
        };
      } finally {
        await held.release();
      }
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
      const usage = usageNow(peer);
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
  bulk(64, "mesh", "as the mesh has it: answers of 1 MiB"),
  bulk(8, "mesh", "as the mesh has it: answers of 1 MiB"),
  bulk(1, "mesh", "as the mesh has it: answers of 1 MiB"),
  multiplexed(8, 16),
  unaryGrpc(8, 16),
  streamedGrpc(1),
  streamedGrpc(16),
  bulk(1, "tcp", "TCP relay"),
  bulk(32, "tcp", "TCP relay"),
  bulk(1, "tls-relay", "TCP relay over mutual TLS between two hops"),
  bulk(32, "tls-relay", "TCP relay over mutual TLS between two hops"),
  handshakes("full", "new mutual TLS connections, a full handshake each"),
  handshakes("resume", "new mutual TLS connections, sessions resumed"),
  atFixedRate("rate-1000", "1,000 requests/s, one hop", "one-hop"),
  atFixedRate("rate-1000-mtls", "1,000 requests/s, mutual TLS, two hops", "two-hops"),
  atFixedRate("rate-1000-mesh", "1,000 requests/s, as the mesh has it", "mesh"),
  { ...atRest("start", "start to ready", "one-hop"), headline: "readyMs" },
  atRest("idle", "memory, idle", "one-hop"),
  atRest("services-1000", "memory, 1,000 services configured", "thousand-services"),
  idleConnections(10_000, "one-hop", "plaintext"),
  idleConnections(10_000, "tls-front", "mutual TLS"),
];
