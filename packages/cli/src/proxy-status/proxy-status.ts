import type { ProxiesResponse, ProxyRow, ProxyTypeRow } from "@heddle/control-plane/admin-api";
import { exitCodes } from "@heddle/core";
import type { OutputFormat } from "../output/data.ts";
import { formatData } from "../output/data.ts";
import { formatTable } from "../output/table.ts";
import type { Paint } from "../output/terminal.ts";
import { paintFor } from "../output/terminal.ts";
import { askRunningMesh } from "../running-mesh.ts";

/** Resource types in the order in which they are pushed, by the name of their discovery service; as in istioctl, without secrets. */
const services: readonly [service: string, type: string][] = [
  ["CDS", "envoy.config.cluster.v3.Cluster"],
  ["EDS", "envoy.config.endpoint.v3.ClusterLoadAssignment"],
  ["LDS", "envoy.config.listener.v3.Listener"],
  ["RDS", "envoy.config.route.v3.RouteConfiguration"],
];

/** Prints what every proxy of a running mesh has accepted. Exit code 1 when one is away, behind, or refuses something. */
export async function proxyStatus(options: { mesh?: string; output: OutputFormat }): Promise<number> {
  const response = await askRunningMesh(options.mesh, (admin) => admin.proxies());
  const paint = paintFor(process.stdout);
  process.stdout.write(await formatData(options.output, response, () => formatProxies(response, paint)));
  return response.proxies.every(({ isConnected, isSynced }) => isConnected && isSynced)
    ? exitCodes.fine
    : exitCodes.negative;
}

/** The table, and below it what is refused and how many are behind. */
export function formatProxies({ proxies, configVersion }: ProxiesResponse, paint: Paint): string {
  const rows = [...proxies].sort((a, b) => a.id.localeCompare(b.id));
  const table = formatTable(rows, [
    { title: "proxy", text: ({ id }) => id },
    { title: "identity", text: ({ identity }) => identity },
    { title: "connected", text: ({ isConnected }) => (isConnected ? "yes" : paint("red", "no")) },
    ...services.map(([title, type]) => ({ title, text: (row: ProxyRow) => standing(row, type, paint) })),
  ]);
  const refusals = rows.flatMap(({ id, types }) =>
    types
      .filter(({ lastError }) => lastError !== "")
      .map(({ lastError }) => `${paint("red", "×")} ${id} refuses: ${lastError}\n`),
  );
  const problems = rows
    .filter(({ problem }) => problem !== "")
    .map(
      ({ id, problem }) =>
        `${paint("red", "×")} ${id} keeps what it has: the newest could not be compiled: ${problem}\n`,
    );
  const behind = rows.filter(({ isSynced }) => !isSynced).length;
  const summary =
    behind === 0
      ? `${paint("green", "√")} all ${rows.length} proxies have configuration ${configVersion}\n`
      : `${paint("red", "×")} ${behind} of ${rows.length} proxies do not have configuration ${configVersion}\n`;
  return `${table}\n${refusals.join("")}${problems.join("")}${summary}`;
}

/** As `istioctl proxy-status` words it; of what a proxy has from an earlier control plane, and need not be sent again, that knows nothing. */
function standing({ types }: ProxyRow, type: string, paint: Paint): string {
  const found: ProxyTypeRow | undefined = types.find((row) => row.type.endsWith(`/${type}`));
  if (found?.sentVersion === "" && found.isSynced) return paint("green", "UNCHANGED");
  if (found === undefined || found.sentVersion === "") return paint("dim", "NOT SENT");
  if (found.lastError !== "") return paint("red", "REJECTED");
  return found.isSynced ? paint("green", "SYNCED") : paint("yellow", "STALE");
}
