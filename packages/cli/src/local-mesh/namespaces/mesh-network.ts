import { type Interception, passthroughSources } from "@heddle/compiler";
import { PortProblem } from "../ports.ts";
import { CommandFailed, runCommand } from "./command.ts";
import { HostNames, hostResolver } from "./host-names.ts";
import { reclaimNamespaces } from "./left-behind.ts";
import { NetworkNamespace } from "./network-namespace.ts";
import { namespacePorts, redirectRules } from "./redirect-rules.ts";
import { quoted } from "./shell-word.ts";
import type { MeshSubnet } from "./subnets.ts";
import { ipv4PrefixLength, ipv6PrefixLength, isTaken, meshSubnet, ServiceAddresses, subnetCount } from "./subnets.ts";

/** A replica's own place on the network. */
export interface ReplicaNetwork {
  readonly namespace: NetworkNamespace;
  /** `address` of the replica first; IPv6 only where the machine has it. */
  readonly addresses: readonly string[];
  /** Kills whoever is still inside; the kernel takes the rest away. */
  close(): Promise<void>;
}

/**
 * The network of one mesh: a bridge in a namespace of its own, the hub, to which every replica's namespace and this machine
 * are tied by a veth pair. On the machine itself there is one interface and not one rule; it ends with the hub, and the hub with
 * this process.
 */
export class MeshNetwork {
  readonly subnet: MeshSubnet;
  readonly hasIpv6: boolean;
  readonly #hub: NetworkNamespace;
  readonly #hostNames: HostNames;
  readonly #services = new ServiceAddresses();
  readonly #taken = new Set<number>();
  #links = 0;

  private constructor(subnet: MeshSubnet, hub: NetworkNamespace, hostNames: HostNames, hasIpv6: boolean) {
    this.subnet = subnet;
    this.#hub = hub;
    this.#hostNames = hostNames;
    this.hasIpv6 = hasIpv6;
  }

  /** Also ends what killed runs left, and reports what it cannot end. @throws CommandFailed, PortProblem (as a rejection) */
  static async open(hasIpv6: boolean, report: (line: string) => void): Promise<MeshNetwork> {
    const { remaining } = await reclaimNamespaces();
    if (remaining.length > 0)
      report(`processes of an earlier run do not end, and keep its network: ${remaining.join(", ")}`);
    const hub = await NetworkNamespace.open();
    try {
      await hub.run(["ip", "link", "add", "name", "mesh", "type", "bridge"]);
      await hub.run(["ip", "link", "set", "dev", "mesh", "up"]);
      const subnet = await tieHost(hub);
      await hub.run(["ip", "link", "set", "dev", "host", "master", "mesh", "up"]);
      const link = subnet.interfaceName;
      await runCommand(["ip", "address", "add", `${subnet.hostIpv4}/${ipv4PrefixLength}`, "dev", link]);
      await runCommand(["ip", "link", "set", "dev", link, "up"]);
      if (hasIpv6)
        await runCommand(["ip", "address", "add", `${subnet.hostIpv6}/${ipv6PrefixLength}`, "dev", link, "nodad"]);
      const { dns: port } = namespacePorts;
      const hostNames = await HostNames.open({ host: subnet.hostIpv4, port, resolver: hostResolver() });
      return new MeshNetwork(subnet, hub, hostNames, hasIpv6);
    } catch (error) {
      await hub.close();
      throw error;
    }
  }

  /** Virtual addresses of a service. */
  addressesOf(service: string): Interception["serviceAddresses"] {
    const [ipv4, ipv6] = this.#services.of(service);
    return this.hasIpv6 ? [ipv4, ipv6] : [ipv4];
  }

  /** Where replicas find the host's answerer for names that are not of the mesh. */
  get resolverAddresses(): string[] {
    return [this.subnet.hostIpv4];
  }

  /**
   * A namespace with an address, a way to the others, and the rules by which all TCP goes to the proxy.
   *
   * @param files what stands in place of files of the machine there: path → path of what is seen instead
   * @throws CommandFailed, PortProblem (as a rejection)
   */
  async openReplica(files: Readonly<Record<string, string>>): Promise<ReplicaNetwork> {
    const number = this.#takeNumber();
    let namespace: NetworkNamespace | undefined;
    try {
      const own = this.subnet.addressesOf(number);
      if (own === undefined) throw new PortProblem("the network of the mesh has no more addresses");
      const link = `r${(this.#links += 1)}`;
      namespace = await NetworkNamespace.open();
      await runCommand(["sh", "-c", this.#tie(link, namespace)]);
      await namespace.run(["sh", "-c", this.#setup(own, files)]);
      return this.#replicaNetwork(namespace, number, this.hasIpv6 ? [own.ipv4, own.ipv6] : [own.ipv4]);
    } catch (error) {
      await namespace?.close();
      this.#taken.delete(number);
      throw error;
    }
  }

  #replicaNetwork(namespace: NetworkNamespace, number: number, addresses: readonly string[]): ReplicaNetwork {
    return {
      namespace,
      addresses,
      close: async () => {
        await namespace.close();
        this.#taken.delete(number);
      },
    };
  }

  async close(): Promise<void> {
    this.#hostNames.close();
    await this.#hub.close();
  }

  #takeNumber(): number {
    let number = 0;
    while (this.#taken.has(number)) number += 1;
    this.#taken.add(number);
    return number;
  }

  /** What ties a namespace to the hub. One command for all, here and inside: each that this process starts itself takes it some milliseconds. */
  #tie(link: string, { pid }: NetworkNamespace): string {
    const attach = this.#hub.enter(["ip", "link", "set", "dev", link, "master", "mesh", "up"]);
    return [
      "set -e",
      `ip link add name eth0 netns ${pid} type veth peer name ${link} netns ${this.#hub.pid}`,
      attach.map(quoted).join(" "),
    ].join("\n");
  }

  #setup({ ipv4, ipv6 }: { ipv4: string; ipv6: string }, files: Readonly<Record<string, string>>): string {
    const { hostIpv4, hostIpv6 } = this.subnet;
    const { port } = this.#hostNames.address;
    const lines = [
      "set -e",
      "ip link set dev lo up",
      // As in a container: what belongs to the caller may have any port.
      "echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start || true",
    ];
    if (this.hasIpv6) {
      lines.push("for each in all default eth0 lo; do echo 0 > /proc/sys/net/ipv6/conf/$each/disable_ipv6; done");
      lines.push(`ip address add ${ipv6}/${ipv6PrefixLength} dev eth0 nodad`);
      lines.push(`ip address add ${passthroughSources.ipv6}/128 dev lo nodad`);
    }
    lines.push(`ip address add ${ipv4}/${ipv4PrefixLength} dev eth0`, "ip link set dev eth0 up");
    lines.push(`ip route add default via ${hostIpv4}`);
    if (this.hasIpv6) lines.push(`ip -6 route add default via ${hostIpv6} dev eth0`);
    // Files that the machine lacks are not looked for, and need no replacement.
    for (const [path, seen] of Object.entries(files))
      lines.push(`if [ -e ${quoted(path)} ]; then mount --bind ${quoted(seen)} ${quoted(path)}; fi`);
    // A cache of the machine's names would answer before anybody is asked.
    lines.push("if [ -d /run/nscd ]; then mount -t tmpfs -o size=4k heddle /run/nscd; fi");
    lines.push(`iptables-restore <<'RULES'\n${redirectRules("ipv4", { host: hostIpv4, port })}RULES`);
    if (this.hasIpv6)
      lines.push(`ip6tables-restore <<'RULES'\n${redirectRules("ipv6", { host: hostIpv6, port })}RULES`);
    return lines.join("\n");
  }
}

/** Ties the machine to the hub under the first number that is free; two meshes that start at once cannot get the same. */
async function tieHost(hub: NetworkNamespace): Promise<MeshSubnet> {
  for (let index = 0; index < subnetCount; index++) {
    if (isTaken(index)) continue;
    const subnet = meshSubnet(index);
    const veth = ["ip", "link", "add", "name", subnet.interfaceName, "type", "veth", "peer", "name", "host"];
    try {
      await runCommand([...veth, "netns", String(hub.pid)]);
      return subnet;
    } catch (error) {
      // Another mesh was faster.
      if (!(error instanceof CommandFailed) || !/File exists/.test(error.message)) throw error;
    }
  }
  throw new CommandFailed(
    `no network is free: ${subnetCount} meshes run, or this machine has addresses in all of 198.18.0.0/15`,
  );
}
