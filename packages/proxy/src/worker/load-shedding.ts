import type { LoadShedPoint } from "../overload/config.ts";
import type { WorkerContext } from "./context.ts";

/** Whether load is to be shed at this point, now (Envoy's LoadShedPoint): for a share of those who ask, and counted each time. */
export function shedsLoad(
  { load, random, metrics }: Pick<WorkerContext, "load" | "random" | "metrics">,
  point: LoadShedPoint,
): boolean {
  const share = load.shared.activity(point);
  if (share <= 0 || (share < 1 && random() >= share)) return false;
  metrics.shedLoad(point).add(1);
  return true;
}
