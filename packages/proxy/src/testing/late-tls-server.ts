import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { EventWaiter, type IssuedIdentity, RawPeer } from "@heddle/testkit";

/** Accepts connections and lets the test say what becomes of each: left without a handshake, broken off, or served. */
export class LateTlsServer implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #identity: IssuedIdentity;
  readonly #accepted: Socket[] = [];
  readonly #waiter = new EventWaiter();

  private constructor(server: Server, identity: IssuedIdentity) {
    this.#server = server;
    this.#identity = identity;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (socket: Socket) => {
      // A test breaks connections off, and so does its proxy.
      socket.on("error", () => undefined);
      this.#accepted.push(socket);
      this.#waiter.notify();
    });
  }

  static async start(identity: IssuedIdentity): Promise<LateTlsServer> {
    const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
    await once(server, "listening");
    return new LateTlsServer(server, identity);
  }

  /** The connection of this number, from 0, before its handshake. */
  async connection(index: number): Promise<Socket> {
    await this.#waiter.until(`TLS connection ${index}`, () => this.#accepted.length > index);
    return this.#accepted[index]!;
  }

  /** Shakes hands on a connection and gives what is inside. */
  async serve(index: number): Promise<RawPeer> {
    const { privateKeyPem, chainPem } = this.#identity;
    const socket = await this.connection(index);
    const options = { isServer: true, key: privateKeyPem, cert: chainPem, minVersion: "TLSv1.3" } as const;
    return new RawPeer(new TLSSocket(socket, options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#accepted) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
