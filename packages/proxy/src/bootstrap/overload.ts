import { durationMs } from "@bufbuild/protobuf/wkt";
import { type Message, unpackAny } from "@heddle/xds/api";
import {
  type DownstreamConnectionsConfig,
  type FixedHeapConfig,
  type OverloadAction as OverloadActionMessage,
  type OverloadManager,
  type Trigger as TriggerMessage,
} from "@heddle/xds/api/bootstrap";
import {
  defaultOverload,
  overloadActions,
  type OverloadAction,
  type OverloadConfig,
  type ResourceMonitor,
  type Trigger,
} from "../overload/config.ts";
import type { DocumentPath, Report } from "./source.ts";

/** Envoy's default `refresh_interval`. */
const defaultRefreshMs = 1_000;

/** The bootstrap's `overload_manager`, or what holds where there is none. */
export function readOverload(message: OverloadManager | undefined, path: DocumentPath, report: Report): OverloadConfig {
  if (message === undefined) return defaultOverload;
  const monitors = message.resourceMonitors.flatMap((monitor, index): ResourceMonitor[] => {
    const at = [...path, "resource_monitors", index];
    const any = monitor.configType.case === "typedConfig" ? monitor.configType.value : undefined;
    const config = any === undefined ? undefined : unpackAny(any);
    const read = config === undefined ? undefined : readMonitor(monitor.name, config, [...at, "typed_config"], report);
    if (config === undefined) report([...at, "typed_config"], "is missing", "Say what is watched.");
    return read === undefined ? [] : [read];
  });
  const names = new Set<string>();
  for (const [index, { name }] of message.resourceMonitors.entries()) {
    if (names.has(name))
      report(
        [...path, "resource_monitors", index, "name"],
        `"${name}" is used twice`,
        "Each resource has one monitor.",
      );
    names.add(name);
  }
  const refreshMs = message.refreshInterval === undefined ? defaultRefreshMs : durationMs(message.refreshInterval);
  if (refreshMs < 1) report([...path, "refresh_interval"], "must be at least 1 ms", "Write it like 0.25s.");
  return {
    refreshMs,
    monitors,
    actions: message.actions.flatMap((action, index) => readAction(action, names, [...path, "actions", index], report)),
  };
}

function readMonitor(name: string, config: Message, path: DocumentPath, report: Report): ResourceMonitor | undefined {
  switch (config.$typeName) {
    case "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig": {
      const maxBytes = Number((config as FixedHeapConfig).maxHeapSizeBytes);
      if (maxBytes === 0) report([...path, "max_heap_size_bytes"], "must be more than 0", "Write a number of bytes.");
      return { kind: "fixed-heap", name, maxBytes };
    }
    case "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig": {
      const max = Number((config as DownstreamConnectionsConfig).maxActiveDownstreamConnections);
      if (max < 1) report([...path, "max_active_downstream_connections"], "must be more than 0", "Write a number.");
      return { kind: "connections", name, max };
    }
    default:
      report(path, `${config.$typeName} is not supported`, "Use fixed_heap or downstream_connections.");
      return undefined;
  }
}

function readAction(
  { name, triggers }: OverloadActionMessage,
  monitors: ReadonlySet<string>,
  path: DocumentPath,
  report: Report,
): OverloadConfig["actions"][number][] {
  const action = overloadActions.find((known): known is OverloadAction => known === name);
  if (action === undefined) {
    report([...path, "name"], `"${name}" is not supported`, `Use one of ${overloadActions.join(", ")}.`);
    return [];
  }
  if (triggers.length === 0) report([...path, "triggers"], "the list is empty", "Say when the action begins.");
  return [
    {
      action,
      triggers: triggers.flatMap((one, index) => readTrigger(one, monitors, [...path, "triggers", index], report)),
    },
  ];
}

function readTrigger(
  { name, triggerOneof }: TriggerMessage,
  monitors: ReadonlySet<string>,
  path: DocumentPath,
  report: Report,
): Trigger[] {
  if (!monitors.has(name))
    report([...path, "name"], `there is no resource monitor "${name}"`, "Name one of resource_monitors.");
  const share = (field: string, value: number, at: string): number => {
    if (!(value >= 0 && value <= 1)) report([...path, at, field], "must be from 0 to 1", "0.95 is 95 %.");
    return value;
  };
  switch (triggerOneof.case) {
    case "threshold":
      return [{ monitor: name, kind: "threshold", value: share("value", triggerOneof.value.value, "threshold") }];
    case "scaled": {
      const scaling = share("scaling_threshold", triggerOneof.value.scalingThreshold, "scaled");
      const saturation = share("saturation_threshold", triggerOneof.value.saturationThreshold, "scaled");
      if (scaling >= saturation)
        report([...path, "scaled"], "scaling_threshold must be less than saturation_threshold", "Swap them.");
      return [{ monitor: name, kind: "scaled", scaling, saturation }];
    }
    default:
      report(path, "threshold or scaled is missing", "Say when the action begins.");
      return [];
  }
}
