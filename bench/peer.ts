import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { BackendPorts } from "./servers/main.ts";

/** The files that one run needs, all in one temporary folder, and where the traffic goes. */
export interface Site {
  readonly folder: string;
  readonly backends: BackendPorts;
  /** PEM files of a throw-away authority and one workload identity, for mutual TLS. */
  readonly tls: { readonly ca: string; readonly certificate: string; readonly key: string };
}

/**
 * What is measured. `one-hop`, `http2`, `grpc` and `tcp` are one proxy in plaintext, `tls-front` one that terminates mutual TLS; `tcp` and
 * `tls-relay` copy bytes. The others of two proxies have mutual TLS between them.
 */
export type Topology =
  | "one-hop"
  | "http2"
  | "grpc"
  | "tcp"
  | "tls-front"
  | "tls-relay"
  | "two-hops"
  | "two-hops-http2"
  | "mesh"
  /** As `mesh`, but however few requests there are they ride on connections that are CONNECT streams of one carrier (HBONE); Heddle's alone. */
  | "mesh-virtual"
  | "thousand-services";

const twoProxies: ReadonlySet<Topology> = new Set(["two-hops", "two-hops-http2", "mesh", "mesh-virtual", "tls-relay"]);

/** Whether there is an outer and an inner proxy. */
export function hasTwoHops(topology: Topology): boolean {
  return twoProxies.has(topology);
}

/** The port of the application that a topology ends at. */
export function backendPort(topology: Topology, { backends }: Site): number {
  return topology === "grpc" ? backends.grpc : backends.http1;
}

/** A proxy under test. */
export interface Peer {
  readonly name: string;
  /** Names the version, or says why the peer cannot run here. */
  probe(): Promise<{ version: string } | { missing: string }>;
  /** Topologies that it can be configured for. */
  readonly topologies: readonly Topology[];
  /** Starts it; resolves when the port takes requests. */
  start(topology: Topology, site: Site): Promise<RunningPeer>;
}

export interface RunningPeer {
  readonly url: string;
  readonly port: number;
  readonly pids: readonly number[];
  readonly readyMs: number;
  stop(): Promise<void>;
}

/** Starts processes in the order given and waits until `port` takes a connection and `isReady` holds. */
export async function launch(
  commands: readonly (readonly [program: string, args: readonly string[]])[],
  port: number,
  isReady: () => Promise<boolean> = () => canConnect(port),
): Promise<RunningPeer> {
  const startedAt = performance.now();
  const output: string[] = [];
  const children = commands.map(([program, args]) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        output.push(chunk.toString());
        if (output.length > 200) output.shift();
      });
    }
    child.on("error", (error) => output.push(error.message));
    return child;
  });
  const stop = async (): Promise<void> => {
    await Promise.all(children.map((child) => stopChild(child)));
  };
  while (!(await isReady())) {
    const ended = children.find((child) => child.exitCode !== null || child.signalCode !== null);
    if (ended !== undefined || performance.now() - startedAt > 60_000) {
      await stop();
      throw new Error(`${commands[0]?.[0]} did not become ready:\n${output.join("").slice(-2000)}`);
    }
    await delay(5);
  }
  return {
    url: `http://127.0.0.1:${port}/`,
    port,
    pids: children.map((child) => child.pid ?? 0),
    readyMs: performance.now() - startedAt,
    stop,
  };
}

function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const force = setTimeout(() => child.kill("SIGKILL"), 5000);
    child.on("exit", () => {
      clearTimeout(force);
      resolve();
    });
    child.kill("SIGTERM");
  });
}

/** Whether something listens there. */
export function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/** Whether an HTTP endpoint answers 200. */
export async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { headers: { connection: "close" } });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    // Not listening yet.
    return false;
  }
}
