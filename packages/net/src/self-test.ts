import { createServer, connect as connectTcp } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls, TLSSocket } from "node:tls";
import { sendNow } from "./send-now.ts";
import { canonicalHost } from "./ip-address.ts";
import { originalDestinationProblem, tryOriginalDestination } from "./original-destination.ts";
import type { RuntimeEdge, StreamHandle, WriteRequest } from "./runtime-edges.ts";
import {
  handleOf,
  interceptAccept,
  readIntoSharedBuffer,
  runtimeEdges,
  sharedReadBuffer,
  socketAround,
} from "./runtime-edges.ts";

export interface EdgeReport {
  readonly edge: RuntimeEdge;
  readonly transport: "tcp" | "tls";
  readonly isUsed: boolean;
  /** Empty when it is used. */
  readonly reason: string;
}

const question = "heddle?";
const answer = "heddle!";
const secondAnswer = "heddle.";

/**
 * Tries every private edge of the runtime on real sockets, TCP and TLS, and switches off what does not work; the public API does its work then. To be
 * awaited once per thread, before the first connection.
 *
 * @param patienceMs how long loopback may take before an edge counts as broken
 */
export async function selfTestRuntime(patienceMs = 5_000): Promise<EdgeReport[]> {
  const reports: EdgeReport[] = [];
  for (const transport of ["tcp", "tls"] as const) {
    const problems = await tryTransport(transport, patienceMs);
    for (const edge of edgesOf(transport)) {
      const reason = runtimeEdges[edge] ? (problems.get(edge) ?? "") : "not offered by this runtime";
      if (reason !== "") runtimeEdges[edge] = false;
      reports.push({ edge, transport, isUsed: runtimeEdges[edge], reason });
    }
  }
  return reports;
}

function edgesOf(transport: "tcp" | "tls"): readonly RuntimeEdge[] {
  const edges: readonly RuntimeEdge[] = ["rawAccept", "sharedReadBuffer", "directWrite"];
  return transport === "tcp" && process.platform === "linux" ? [...edges, "kernelSend", "originalDestination"] : edges;
}

/** Edges that failed, with what was seen. */
async function tryTransport(transport: "tcp" | "tls", patienceMs: number): Promise<Map<RuntimeEdge, string>> {
  const problems = new Map<RuntimeEdge, string>();
  const trial = new Trial(transport, problems, patienceMs);
  try {
    await trial.run();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    problems.set(trial.stage, reason);
  } finally {
    trial.close();
  }
  return problems;
}

class Trial {
  /** What is to blame when it ends here. */
  stage: RuntimeEdge = "rawAccept";
  readonly #transport: "tcp" | "tls";
  readonly #problems: Map<RuntimeEdge, string>;
  readonly #patienceMs: number;
  readonly #server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  readonly #sockets: Socket[] = [];

  constructor(transport: "tcp" | "tls", problems: Map<RuntimeEdge, string>, patienceMs: number) {
    this.#transport = transport;
    this.#problems = problems;
    this.#patienceMs = patienceMs;
  }

  async run(): Promise<void> {
    const accepted = this.#accept();
    const port = await this.#listen();
    if (!interceptAccept(this.#server, (handle) => this.#take(socketAround(handle)))) {
      this.#problems.set("rawAccept", "the server has no accept hook");
    }
    const client = this.#keep(connectTcp({ host: "127.0.0.1", port }));
    const clientSide = this.#transport === "tcp" ? client : this.#keep(tlsClient(client));
    let text = nextText(clientSide);
    clientSide.write(question);
    const raw = await this.#inTime(accepted, "no connection was accepted");
    if (this.#transport === "tcp") this.#tryOriginalDestination(raw);
    const serverSide = this.#transport === "tcp" ? raw : this.#keep(tlsServer(raw));

    this.stage = "sharedReadBuffer";
    const heard = await this.#inTime(this.#read(serverSide), "nothing was read into the shared buffer");
    if (heard !== question) throw new Error("the shared buffer held other bytes than were sent");

    this.stage = "directWrite";
    const handle = handleOf(serverSide);
    if (handle === undefined) throw new Error("the socket has no handle");
    await this.#inTime(writeDirectly(handle, Buffer.from(answer, "latin1")), "a direct write did not complete");
    const got = await this.#inTime(text, "a direct write did not arrive");
    if (got !== answer) throw new Error("a direct write arrived as other bytes");
    if (this.#transport === "tls" || !runtimeEdges.kernelSend) return;

    this.stage = "kernelSend";
    text = nextText(clientSide);
    const taken = sendNow(handle.fd ?? -1, Buffer.from(secondAnswer, "latin1"));
    if (taken !== secondAnswer.length) throw new Error(`the kernel took ${taken} of ${secondAnswer.length} bytes`);
    if ((await this.#inTime(text, "what the kernel took did not arrive")) !== secondAnswer)
      throw new Error("what the kernel took arrived as other bytes");
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #tryOriginalDestination(socket: Socket): void {
    if (!runtimeEdges.originalDestination) return;
    const { localAddress: host = "", localPort: port = 0 } = socket;
    const problem =
      originalDestinationProblem() ??
      tryOriginalDestination(handleOf(socket)?.fd ?? -1, { host: canonicalHost(host), port });
    if (problem !== "") this.#problems.set("originalDestination", problem);
  }

  #take: (socket: Socket) => void = () => {};

  #accept(): Promise<Socket> {
    return new Promise((resolve) => {
      this.#take = (socket) => resolve(this.#keep(socket));
      this.#server.on("connection", (socket: Socket) => this.#take(socket));
    });
  }

  #listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host: "127.0.0.1", port: 0 }, () => {
        const address = this.#server.address();
        if (address === null || typeof address === "string") reject(new Error("no port"));
        else resolve(address.port);
      });
    });
  }

  #read(socket: Socket): Promise<string> {
    return new Promise((resolve, reject) => {
      const reader = {
        takeBytes: (bytes: Buffer, start: number, end: number): void => resolve(bytes.toString("latin1", start, end)),
      };
      if (!runtimeEdges.sharedReadBuffer) {
        socket.on("data", (chunk: Buffer) => resolve(chunk.toString("latin1")));
        socket.resume();
        return;
      }
      // What an earlier read left must not pass for this one.
      sharedReadBuffer.fill(0, 0, question.length);
      readIntoSharedBuffer(socket, reader);
      const handle = handleOf(socket);
      if (handle === undefined) {
        reject(new Error("the socket has no handle"));
        return;
      }
      handle.reading = true;
      handle.readStart();
    });
  }

  async #inTime<T>(promise: Promise<T>, complaint: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(complaint)), this.#patienceMs);
    });
    try {
      return await Promise.race([promise, deadline]);
    } finally {
      clearTimeout(timer);
    }
  }

  #keep<T extends Socket>(socket: T): T {
    this.#sockets.push(socket);
    // Whatever goes wrong shows as an edge that does not answer in time, with a reason of its own.
    socket.on("error", () => socket.destroy());
    return socket;
  }
}

function nextText(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once("data", (chunk: Buffer) => resolve(chunk.toString("latin1")));
    socket.once("error", reject);
  });
}

/** Settles when the runtime says that the bytes were taken. */
function writeDirectly(handle: StreamHandle, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (status: number): void => {
      if (status < 0) reject(new Error(`a direct write failed with ${status}`));
      else resolve();
    };
    const outcome = handle.writeBuffer(null, bytes);
    if (typeof outcome === "number") {
      done(outcome);
      return;
    }
    const request: WriteRequest = outcome;
    request.buffer = bytes;
    request.oncomplete = done;
    if (typeof request.writeStatus === "number") done(request.writeStatus);
  });
}

// A pre-shared key lets TLS be tried without a certificate. It protects nothing: both ends are this thread.
const psk = Buffer.from("self-test", "latin1");
const pskOptions = { ciphers: "PSK", minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const;

function tlsServer(raw: Socket): TLSSocket {
  return new TLSSocket(raw, { isServer: true, ...pskOptions, ca: [], pskCallback: () => psk } as never);
}

function tlsClient(raw: Socket): TLSSocket {
  return connectTls({
    socket: raw,
    ...pskOptions,
    ca: [],
    pskCallback: () => ({ psk, identity: "self-test" }),
    checkServerIdentity: () => undefined,
  });
}
