import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { Http2Attacker } from "./http2-attacker.ts";
import { frameType, settings, settingsAck } from "./http2-frames.ts";

/** What an upstream does when a request has come on a stream. */
export type Http2Behaviour = (peer: Http2Attacker, streamId: number) => Promise<void>;
export type Behaviour = (socket: Socket) => void;

/** A TCP server whose connections do what the test at hand says. */
export class HostileUpstream implements AsyncDisposable {
  behave: Behaviour = (socket) => socket.destroy();
  /** Connections that the proxy made. */
  connections = 0;
  readonly #server: Server;
  #behaveHttp2: Http2Behaviour | undefined;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => this.#sockets.delete(socket));
      this.behave(socket);
    });
  }

  static async start(): Promise<HostileUpstream> {
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new HostileUpstream(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on every connection speaks HTTP/2 and does this to its requests. */
  behaveHttp2(behaviour: Http2Behaviour): void {
    this.#behaveHttp2 = behaviour;
    this.behave = (socket) => {
      let isPreface = true;
      // The preface is 24 octets and no frame.
      const peer = Http2Attacker.accepted(socket, (bytes) => {
        if (!isPreface) return bytes;
        isPreface = false;
        return bytes.subarray(24);
      });
      const serve = async (): Promise<void> => {
        await peer.send(settings(), settingsAck);
        let seen = 0;
        while (!peer.isClosed) {
          await peer.whenever(() => peer.isClosed || peer.frames.length > seen);
          const fresh = peer.frames.slice(seen);
          seen = peer.frames.length;
          // The behaviour of the test at hand: connections outlive the tests that made them.
          for (const { type, streamId } of fresh)
            if (type === frameType.headers) this.#behaveHttp2?.(peer, streamId).catch(() => socket.destroy());
        }
      };
      serve().catch(() => socket.destroy());
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
