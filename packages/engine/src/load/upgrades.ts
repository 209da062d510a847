import type { Upgrades } from "../config/http-connection-manager.ts";
import type { Loading, Path } from "./loading.ts";

/** What the upgrade configurations of a connection manager and of a route share. */
interface UpgradeConfig {
  readonly upgradeType: string;
  readonly enabled?: boolean | undefined;
}

/** `upgrade_configs`: enabled unless said otherwise; the method CONNECT is one of them under its own name (Envoy). */
export function loadUpgrades(configs: readonly UpgradeConfig[], at: Path, loading: Loading): Upgrades {
  const upgrades = new Map<string, boolean>();
  configs.forEach(({ upgradeType, enabled }, index) => {
    const where = at.index(index).field("upgrade_type");
    const name = loading.required(upgradeType, where).toLowerCase();
    if (name === "connect-udp")
      loading.problem(where, `"${upgradeType}" is not supported`, "leave it out; CONNECT, websocket and others are");
    else if (upgrades.has(name)) loading.problem(where, `"${upgradeType}" is named twice`, "keep one of them");
    upgrades.set(name, enabled ?? true);
  });
  return upgrades;
}

/** Whether CONNECT ends at this route (`connect_config`), which no other upgrade has (Envoy, `RouteEntryImplBase`). */
export function loadConnectConfig(
  configs: readonly (UpgradeConfig & { readonly connectConfig?: unknown })[],
  at: Path,
  loading: Loading,
): boolean {
  let terminates = false;
  configs.forEach(({ upgradeType, connectConfig }, index) => {
    if (connectConfig === undefined) return;
    if (upgradeType.toLowerCase() === "connect") terminates = true;
    else
      loading.problem(
        at.index(index).field("connect_config"),
        `"${upgradeType}" has none`,
        "it belongs to the upgrade type CONNECT",
      );
  });
  return terminates;
}
