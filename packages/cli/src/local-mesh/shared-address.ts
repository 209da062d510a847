import { connect } from "node:net";
import { carriedProtocols } from "@heddle/api";
import type { HeldPort } from "@heddle/net";
import { httpCall } from "./admin-client.ts";
import type { GuardedCommand } from "./guarded-process.ts";
import type { CalledService, PlannedInstance } from "./plan.ts";
import { serviceKey } from "./plan.ts";
import type { ApplicationPorts } from "./ports.ts";
import { takePort } from "./ports.ts";
import type { ReplicaPlace } from "./replica-place.ts";
import { sharedBootstrap } from "./replica-place.ts";

/** Every workload in `ports` mode has this address; ports tell them apart. */
const loopback = "127.0.0.1";

const probeTimeoutMs = 2000;

/** `ports` mode: a port for the application, one where its proxy takes its traffic, and one for each service that it may call. */
export class SharedAddress implements ReplicaPlace {
  readonly proxyOwner = undefined;
  readonly adminAddress = undefined;
  readonly bootstrap = sharedBootstrap;
  readonly proxySockets: readonly HeldPort[];
  readonly #inbound: HeldPort;
  /** Carriers to it come in here. */
  readonly #tunnel: HeldPort | undefined;
  readonly #outbound: ReadonlyMap<string, HeldPort>;
  readonly #applicationPort: number;
  readonly #applicationPorts: ApplicationPorts;
  #isClosed = false;

  private constructor(planned: PlannedInstance, applicationPorts: ApplicationPorts, applicationPort: number) {
    this.#applicationPorts = applicationPorts;
    this.#applicationPort = applicationPort;
    const held: HeldPort[] = [];
    const hold = (): HeldPort => {
      const port = takePort(loopback, 0);
      held.push(port);
      return port;
    };
    try {
      this.#inbound = hold();
      const carried = carriedProtocols[planned.protocol];
      // HTTP/2 shares connections as it is.
      this.#tunnel = carried === "http2" ? undefined : hold();
      this.#outbound = new Map(planned.calls.map((service) => [serviceKey(service), hold()]));
    } catch (error) {
      for (const port of held) port.close();
      applicationPorts.release(applicationPort);
      throw error;
    }
    this.proxySockets = held;
  }

  /** Binds the ports: all or, with a PortProblem, none. */
  static async open(planned: PlannedInstance, applicationPorts: ApplicationPorts): Promise<SharedAddress> {
    return new SharedAddress(planned, applicationPorts, await applicationPorts.take(loopback));
  }

  get ports(): ReplicaPlace["ports"] {
    const outboundPorts = Object.fromEntries([...this.#outbound].map(([key, { address }]) => [key, address.port]));
    return {
      address: loopback,
      inboundPort: this.#inbound.address.port,
      ...(this.#tunnel === undefined ? {} : { tunnelPort: this.#tunnel.address.port }),
      appPort: this.#applicationPort,
      outboundPorts,
    };
  }

  urlOf(service: CalledService): string {
    return `${service.scheme}://${loopback}:${this.#outbound.get(serviceKey(service))?.address.port}`;
  }

  proxyCommand(command: readonly string[]): Pick<GuardedCommand, "command" | "env"> {
    return { command, env: process.env };
  }

  applicationCommand(command: GuardedCommand): GuardedCommand {
    return command;
  }

  probe(path: string | undefined): Promise<string | undefined> {
    return probeApplication(this.#applicationPort, path);
  }

  closeSockets(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const port of this.proxySockets) port.close();
  }

  async release(): Promise<void> {
    this.closeSockets();
    this.#applicationPorts.release(this.#applicationPort);
  }
}

/** Undefined when an application on a port of this machine is ready. */
export async function probeApplication(port: number, path: string | undefined): Promise<string | undefined> {
  // Without a path of its own nothing is asked of the application: a request nobody sent would show in its log.
  if (path === undefined) return connectProblem(loopback, port);
  const { status } = await httpCall(`${loopback}:${port}`, "GET", path, { timeoutMs: probeTimeoutMs });
  return status >= 200 && status <= 399 ? undefined : `GET ${path} answered ${status}`;
}

/** Undefined when the port takes a connection. */
function connectProblem(address: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: probeTimeoutMs });
    const end = (problem: string | undefined): void => {
      socket.destroy();
      resolve(problem);
    };
    socket.once("connect", () => end(undefined));
    socket.once("timeout", () => end("the port does not answer"));
    socket.once("error", (error) => end(error.message));
  });
}
