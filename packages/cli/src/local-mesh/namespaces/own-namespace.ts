import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { carriedProtocols } from "@heddle/api";
import type { HeldPort } from "@heddle/net";
import { formatAddress, onNetworkOf } from "@heddle/net";
import { httpCall } from "../admin-client.ts";
import type { GuardedCommand } from "../guarded-process.ts";
import type { CalledService, PlannedInstance } from "../plan.ts";
import { serviceKey } from "../plan.ts";
import { takePort, takePorts } from "../ports.ts";
import type { FileOwner, ProxyBootstrap, ReplicaPlace } from "../replica-place.ts";
import type { Caller } from "./caller.ts";
import { callerVariables } from "./caller.ts";
import type { MeshNetwork, ReplicaNetwork } from "./mesh-network.ts";
import type { NetworkNamespace } from "./network-namespace.ts";
import { applicationCommandLine, proxyCommandLine, shellExports } from "./proxy-process.ts";
import { namespacePorts, proxyUser } from "./redirect-rules.ts";
import { namespaceBootstrap, readinessPath } from "./static-listeners.ts";
import { systemEnvironment } from "./system-program.ts";

const loopback = "127.0.0.1";
const probeTimeoutMs = 2000;

export interface OwnNamespaceOptions {
  readonly planned: PlannedInstance;
  readonly network: MeshNetwork;
  readonly caller: Caller;
  /** Of the mesh: files for namespaces lie below it. */
  readonly stateDir: string;
  /** Of the proxy. */
  readonly stateFolder: string;
}

/** `namespaces` mode: a network of the replica's own, on which all ports are as they are in a pod. */
export class OwnNamespace implements ReplicaPlace {
  readonly proxyOwner: FileOwner = { uid: proxyUser, gid: proxyUser };
  readonly bootstrap: ProxyBootstrap;
  readonly adminAddress: string;
  readonly ports: ReplicaPlace["ports"];
  readonly proxySockets: readonly HeldPort[];
  readonly #options: OwnNamespaceOptions;
  readonly #network: ReplicaNetwork;
  #isClosed = false;
  #released: Promise<void> | undefined;

  private constructor(options: OwnNamespaceOptions, network: ReplicaNetwork, serviceAddresses: readonly string[]) {
    const { planned } = options;
    this.#options = options;
    this.#network = network;
    // HTTP/2 shares connections as it is.
    const takesCarriers = carriedProtocols[planned.protocol] !== "http2";
    const { door, inside } = holdPorts(network, takesCarriers);
    this.proxySockets = [door, ...inside];
    this.adminAddress = formatAddress(loopback, door.address.port);
    const [address = ""] = network.addresses;
    this.bootstrap = namespaceBootstrap({
      address,
      hasIpv6: network.addresses.length > 1,
      door: door.address,
      application: planned.servicePort,
      readinessPath: planned.readiness?.path,
    });
    this.ports = {
      address,
      inboundPort: planned.servicePort,
      ...(takesCarriers ? { tunnelPort: namespacePorts.hbone } : {}),
      appPort: planned.servicePort,
      outboundPorts: Object.fromEntries(
        // A workload may call its own service, as in a pod.
        [{ name: planned.service, namespace: planned.namespace }, ...planned.calls].map((service) => [
          serviceKey(service),
          0,
        ]),
      ),
      interception: { addresses: network.addresses, serviceAddresses },
    };
  }

  static async open(options: OwnNamespaceOptions): Promise<OwnNamespace> {
    const { planned, network, stateDir } = options;
    const files = await writeNameFiles(stateDir, planned.namespace, network);
    const own = await network.openReplica(files);
    const service = serviceKey({ name: planned.service, namespace: planned.namespace });
    try {
      return new OwnNamespace(options, own, network.addressesOf(service));
    } catch (error) {
      await own.close();
      throw error;
    }
  }

  /** For looking at it, and for breaking it on purpose. */
  get namespace(): NetworkNamespace {
    return this.#network.namespace;
  }

  urlOf({ name, namespace, port, scheme }: CalledService): string {
    const { planned } = this.#options;
    const host = namespace === planned.namespace ? name : `${name}.${namespace}`;
    return `${scheme}://${host}:${port}`;
  }

  proxyCommand(argv: readonly string[]): Pick<GuardedCommand, "command" | "env"> {
    const command = proxyCommandLine(this.#options.stateFolder, argv);
    // Its view is made by root, which finds what it runs for that by name.
    return { command: this.#network.namespace.enter(command), env: systemEnvironment() };
  }

  applicationCommand({ command, cwd, env }: GuardedCommand): GuardedCommand {
    const { caller } = this.#options;
    return {
      command: this.#network.namespace.enter(applicationCommandLine(caller, cwd, command)),
      // What goes in runs as root until it is the caller: nothing of the workload's may govern it.
      cwd: "/",
      env: systemEnvironment(),
      hidden: shellExports({ ...env, ...callerVariables(caller), ...this.#options.planned.env }),
    };
  }

  async probe(path: string | undefined): Promise<string | undefined> {
    const { servicePort } = this.#options.planned;
    if (path === undefined) {
      const isListening = await this.#network.namespace.hasListener(servicePort);
      return isListening ? undefined : `nobody listens on port ${servicePort}`;
    }
    const { status } = await httpCall(this.adminAddress, "GET", readinessPath, { timeoutMs: probeTimeoutMs });
    return status >= 200 && status <= 399 ? undefined : `GET ${path} answered ${status}`;
  }

  closeSockets(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const socket of this.proxySockets) socket.close();
  }

  release(): Promise<void> {
    this.closeSockets();
    // A replica that was lost is released again when another takes its place.
    this.#released ??= this.#network.close();
    return this.#released;
  }
}

/**
 * Binds the proxy's ports inside, where they are Istio's, and holds them: a proxy that is killed with its supervisor finds them again, and
 * connections wait meanwhile instead of being refused. Redirected ones arrive at any address. The door is on the machine's network, to
 * which a socket belongs that was made there, and served by the proxy inside.
 */
function holdPorts(
  { namespace, addresses }: ReplicaNetwork,
  takesCarriers: boolean,
): { door: HeldPort; inside: readonly HeldPort[] } {
  const { admin, outbound, inbound, hbone, readiness, metrics } = namespacePorts;
  const everywhere = addresses.length > 1 ? ["0.0.0.0", "::"] : ["0.0.0.0"];
  const wanted = [outbound, inbound, readiness, metrics].flatMap((port) => everywhere.map((host) => ({ host, port })));
  // Carriers are not redirected: they come to the address that endpoints have.
  const carriers = takesCarriers ? addresses.slice(0, 1).map((host) => ({ host, port: hbone })) : [];
  const inside = onNetworkOf(namespace.pid, () => takePorts([{ host: loopback, port: admin }, ...wanted, ...carriers]));
  try {
    return { door: takePort(loopback, 0), inside };
  } catch (error) {
    // A socket that is left open keeps its network.
    for (const port of inside) port.close();
    throw error;
  }
}

/** Where applications in a namespace ask for names, and that they ask: a module of the machine's own could know better. */
async function writeNameFiles(
  stateDir: string,
  namespace: string,
  { resolverAddresses }: MeshNetwork,
): Promise<Record<string, string>> {
  const folder = join(stateDir, "namespaces");
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const resolv = join(folder, `resolv.conf.${namespace}`);
  const nsswitch = join(folder, "nsswitch.conf");
  const domain = "svc.cluster.local";
  const servers = resolverAddresses.map((address) => `nameserver ${address}\n`).join("");
  await writeFile(resolv, `${servers}search ${namespace}.${domain} ${domain} cluster.local\n`, { mode: 0o644 });
  await writeFile(nsswitch, "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n", { mode: 0o644 });
  return { "/etc/resolv.conf": resolv, "/etc/nsswitch.conf": nsswitch };
}
