import type { Upgrades } from "../config/http-connection-manager.ts";
import type { Loading, Path } from "./loading.ts";

/** What the upgrade configurations of a connection manager and of a route share. */
interface UpgradeConfig {
  readonly upgradeType: string;
  readonly enabled?: boolean | undefined;
}

/** `upgrade_configs`: enabled unless said otherwise (Envoy). CONNECT is not one of them yet: it is no protocol but a method. */
export function loadUpgrades(configs: readonly UpgradeConfig[], at: Path, loading: Loading): Upgrades {
  const upgrades = new Map<string, boolean>();
  configs.forEach(({ upgradeType, enabled }, index) => {
    const where = at.index(index).field("upgrade_type");
    const name = loading.required(upgradeType, where).toLowerCase();
    if (name === "connect" || name === "connect-udp")
      loading.problem(
        where,
        `"${upgradeType}" is not supported yet`,
        "leave it out; websocket and others are supported",
      );
    else if (upgrades.has(name)) loading.problem(where, `"${upgradeType}" is named twice`, "keep one of them");
    upgrades.set(name, enabled ?? true);
  });
  return upgrades;
}
