import type { WorkloadInstance } from "@heddle/compiler";
import type { HeldPort } from "@heddle/net";
import type { GuardedCommand } from "./guarded-process.ts";
import type { CalledService } from "./plan.ts";

/** Who owns files that are written for somebody else. */
export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/** Where a replica runs: its addresses and ports, how its processes are started there, and how they are reached from here. */
export interface ReplicaPlace {
  /** As the control plane registers it. */
  readonly ports: Pick<
    WorkloadInstance,
    "address" | "inboundPort" | "tunnelPort" | "appPort" | "outboundPorts" | "interception"
  >;
  /** Sockets of this process that the proxy's supervisor inherits. */
  readonly proxySockets: readonly HeldPort[];
  /** Of what is written for the proxy; undefined: of this process. */
  readonly proxyOwner: FileOwner | undefined;
  /** host:port by which this process reaches the proxy's admin port; undefined: as the proxy announces it. */
  readonly adminAddress: string | undefined;
  /** Listeners and clusters that the proxy has whatever the control plane says, and its admin port. */
  readonly bootstrap: ProxyBootstrap;
  /** How an application in this place calls a service. */
  urlOf(service: CalledService): string;
  proxyCommand(argv: readonly string[]): Pick<GuardedCommand, "command" | "env">;
  applicationCommand(command: GuardedCommand): GuardedCommand;
  /** Undefined when the application is ready, else what is wrong. @param path to ask for; undefined: its port takes connections */
  probe(path: string | undefined): Promise<string | undefined>;
  /** While sockets are open here, clients of a proxy that ends would wait in their queue. */
  closeSockets(): void;
  /** Both processes are gone. */
  release(): Promise<void>;
}

/** What of a proxy's bootstrap depends on where it runs; parts are Envoy's JSON. */
export interface ProxyBootstrap {
  /** In its node id. */
  readonly address: string;
  readonly adminPort: number;
  readonly listeners: readonly object[];
  readonly clusters: readonly object[];
}

/** Of a proxy that shares the machine's address: the system chooses its admin port. */
export const sharedBootstrap: ProxyBootstrap = { address: "127.0.0.1", adminPort: 0, listeners: [], clusters: [] };
