import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { HeldPort } from "@heddle/net";
import {
  formatAddress,
  formatInheritedDescriptors,
  holdPort,
  listenDescriptorsVariable,
  ListenError,
} from "@heddle/net";

/** A port could not be had; the message says which and what to do. */
export class PortProblem extends Error {}

/**
 * Binds a port (0: any free one) and holds it: it is inherited by a proxy's supervisor, stays the same for as long as the instance
 * exists, and connections wait while the proxy is started again.
 */
export function takePort(host: string, port: number): HeldPort {
  try {
    return holdPort({ host, port });
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    throw new PortProblem(
      error.code === "port_in_use"
        ? `port ${port} on ${host} is in use: end the program that listens there, or set another port`
        : error.message,
    );
  }
}

/** Takes several, or none: what was held already is given back. @throws PortProblem */
export function takePorts(wanted: readonly { readonly host: string; readonly port: number }[]): HeldPort[] {
  const held: HeldPort[] = [];
  try {
    for (const { host, port } of wanted) held.push(takePort(host, port));
    return held;
  } catch (error) {
    for (const port of held) port.close();
    throw error;
  }
}

/**
 * Descriptors and environment for a supervisor: the child's descriptor numbers begin after the four that every supervisor has
 * (input, output, error, IPC).
 */
export function inheritPorts(ports: readonly HeldPort[]): { stdio: number[]; environment: Record<string, string> } {
  const firstDescriptor = 4;
  const descriptors = new Map(
    ports.map(({ address }, index) => [formatAddress(address.host, address.port), firstDescriptor + index]),
  );
  return {
    stdio: ports.map(({ descriptor }) => descriptor),
    environment: { [listenDescriptorsVariable]: formatInheritedDescriptors(descriptors) },
  };
}

const lowestPort = 10_000;

/**
 * Chooses free ports for applications, which bind them themselves. They lie below the range from which the kernel takes the
 * ports of outgoing connections, so that none of those can come in between.
 */
export class ApplicationPorts {
  readonly #taken = new Set<number>();
  readonly #highest: number;
  #next: number;

  private constructor(highest: number, start: number) {
    this.#highest = highest;
    this.#next = start;
  }

  static async open(): Promise<ApplicationPorts> {
    let ephemeral = 32_768;
    try {
      ephemeral = Number((await readFile("/proc/sys/net/ipv4/ip_local_port_range", "utf8")).split(/\s+/)[0]);
    } catch {
      // Not Linux: the IANA range for dynamic ports begins higher than this.
    }
    const highest = Math.max(ephemeral, lowestPort + 1000) - 1;
    // Two meshes started at once should not try the same ports.
    return new ApplicationPorts(highest, lowestPort + Math.floor(Math.random() * (highest - lowestPort)));
  }

  async take(address: string): Promise<number> {
    for (let tries = 0; tries < this.#highest - lowestPort; tries++) {
      const port = this.#next;
      this.#next = port >= this.#highest ? lowestPort : port + 1;
      if (this.#taken.has(port) || !(await isFree(address, port))) continue;
      this.#taken.add(port);
      return port;
    }
    throw new PortProblem(`no port between ${lowestPort} and ${this.#highest} is free on ${address}`);
  }

  release(port: number): void {
    this.#taken.delete(port);
  }
}

function isFree(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, address, () => server.close(() => resolve(true)));
  });
}
