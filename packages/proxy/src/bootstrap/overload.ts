import { durationMs } from "@bufbuild/protobuf/wkt";
import { type Message, unpackAny } from "@heddle/xds/api";
import {
  type DownstreamConnectionsConfig,
  type FixedHeapConfig,
  type LoadShedPoint as LoadShedPointMessage,
  type OverloadAction as OverloadActionMessage,
  type OverloadManager,
  ScaleTimersOverloadActionConfig_TimerTypeSchema,
  type ScaleTimersOverloadActionConfig,
  type ScaleTimersOverloadActionConfig_ScaleTimer,
  type ShrinkHeapConfig,
  type Trigger as TriggerMessage,
} from "@heddle/xds/api/bootstrap";
import {
  defaultOverload,
  defaultShrinkIntervalMs,
  type LoadShedPoint,
  loadShedPoints,
  overloadActions,
  type OverloadAction,
  type OverloadConfig,
  type ResourceMonitor,
  type ScaledTimer,
  scaledTimers,
  type TimerMinimum,
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
  const names = new Set(message.resourceMonitors.map(({ name }) => name));
  refuseTwice(message.resourceMonitors, [...path, "resource_monitors"], "Each resource has one monitor.", report);
  const refreshMs = message.refreshInterval === undefined ? defaultRefreshMs : durationMs(message.refreshInterval);
  if (refreshMs < 1) report([...path, "refresh_interval"], "must be at least 1 ms", "Write it like 0.25s.");
  const read = message.actions.map((action, index) => readAction(action, names, [...path, "actions", index], report));
  refuseTwice(message.actions, [...path, "actions"], "Each action is configured once.", report);
  refuseTwice(message.loadshedPoints, [...path, "loadshed_points"], "Each point is configured once.", report);
  return {
    refreshMs,
    monitors,
    actions: read.flatMap(({ action, triggers }) => (action === undefined ? [] : [{ action, triggers }])),
    loadShedPoints: message.loadshedPoints.flatMap((point, index) =>
      readPoint(point, names, [...path, "loadshed_points", index], report),
    ),
    timerMinimums: read.flatMap(({ timerMinimums = [] }) => timerMinimums),
    shrinkIntervalMs:
      read.find(({ shrinkIntervalMs }) => shrinkIntervalMs !== undefined)?.shrinkIntervalMs ?? defaultShrinkIntervalMs,
    minTrackedPower: readTrackedPower(message, path, report),
  };
}

/** Envoy refuses a second one of the same name, whatever it is. */
function refuseTwice(
  named: readonly { readonly name: string }[],
  path: DocumentPath,
  hint: string,
  report: Report,
): void {
  const names = new Set<string>();
  for (const [index, { name }] of named.entries()) {
    if (names.has(name)) report([...path, index, "name"], `"${name}" is used twice`, hint);
    names.add(name);
  }
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

interface ReadAction {
  /** undefined: it is not supported, which has been reported. */
  readonly action: OverloadAction | undefined;
  readonly triggers: readonly Trigger[];
  /** Of `reduce_timeouts`. */
  readonly timerMinimums?: readonly TimerMinimum[];
  /** Of `shrink_heap`, where it says one. */
  readonly shrinkIntervalMs?: number | undefined;
}

function readAction(
  message: OverloadActionMessage,
  monitors: ReadonlySet<string>,
  path: DocumentPath,
  report: Report,
): ReadAction {
  const { name } = message;
  const action = overloadActions.find((known): known is OverloadAction => known === name);
  if (action === undefined) {
    report([...path, "name"], `"${name}" is not supported`, `Use one of ${overloadActions.join(", ")}.`);
    return { action, triggers: [] };
  }
  return {
    action,
    triggers: readTriggers(message.triggers, monitors, [...path, "triggers"], report),
    ...readActionConfig(action, message, monitors, [...path, "typed_config"], report),
  };
}

/** From which power of two of bytes on a stream is tracked, so that it can be reset. */
function readTrackedPower(
  { bufferFactoryConfig, actions }: OverloadManager,
  path: DocumentPath,
  report: Report,
): number | undefined {
  const at = [...path, "buffer_factory_config"];
  if (bufferFactoryConfig === undefined) {
    if (actions.some(({ name }) => name === "envoy.overload_actions.reset_high_memory_stream"))
      report(at, "is missing", "reset_high_memory_stream needs minimum_account_to_track_power_of_two.");
    return undefined;
  }
  const power = bufferFactoryConfig.minimumAccountToTrackPowerOfTwo;
  if (power < 10 || power > 56)
    report([...at, "minimum_account_to_track_power_of_two"], "must be from 10 to 56", "20 is 1 MiB.");
  return power;
}

function readPoint(
  { name, triggers }: LoadShedPointMessage,
  monitors: ReadonlySet<string>,
  path: DocumentPath,
  report: Report,
): OverloadConfig["loadShedPoints"][number][] {
  const point = loadShedPoints.find((known): known is LoadShedPoint => known === name);
  if (point === undefined) {
    report([...path, "name"], `"${name}" is not supported`, `Use one of ${loadShedPoints.join(", ")}.`);
    return [];
  }
  return [{ point, triggers: readTriggers(triggers, monitors, [...path, "triggers"], report) }];
}

/** What an action is configured with beside its triggers. */
function readActionConfig(
  action: OverloadAction,
  { typedConfig }: OverloadActionMessage,
  monitors: ReadonlySet<string>,
  path: DocumentPath,
  report: Report,
): Pick<ReadAction, "timerMinimums" | "shrinkIntervalMs"> {
  const scalesTimers = action === "envoy.overload_actions.reduce_timeouts";
  if (typedConfig === undefined) {
    if (scalesTimers) report(path, "is missing", "Say which timers are shortened.");
    return {};
  }
  const config = unpackAny(typedConfig);
  if (scalesTimers && config?.$typeName === "envoy.config.overload.v3.ScaleTimersOverloadActionConfig")
    return { timerMinimums: readTimers(config as ScaleTimersOverloadActionConfig, monitors, path, report) };
  if (
    action === "envoy.overload_actions.shrink_heap" &&
    config?.$typeName === "envoy.config.overload.v3.ShrinkHeapConfig"
  )
    return { shrinkIntervalMs: readShrinkInterval(config as ShrinkHeapConfig, path, report) };
  report(
    path,
    "is not what this action is configured with",
    "Only reduce_timeouts and shrink_heap take a configuration.",
  );
  return {};
}

/** Envoy takes no less than a second. */
function readShrinkInterval(
  { timerInterval }: ShrinkHeapConfig,
  path: DocumentPath,
  report: Report,
): number | undefined {
  if (timerInterval === undefined) return undefined;
  const intervalMs = durationMs(timerInterval);
  if (intervalMs < 1_000) report([...path, "timer_interval"], "must be at least 1 s", "Write it like 10s.");
  return intervalMs;
}

function readTimers(
  { timerScaleFactors }: ScaleTimersOverloadActionConfig,
  monitors: ReadonlySet<string>,
  path: DocumentPath,
  report: Report,
): TimerMinimum[] {
  const at = [...path, "timer_scale_factors"];
  if (timerScaleFactors.length === 0) report(at, "the list is empty", "Say which timers are shortened.");
  const minimums = timerScaleFactors.flatMap((one, index) => readTimer(one, monitors, [...at, index], report));
  for (const [index, { timer }] of minimums.entries()) {
    if (minimums.findIndex((other) => other.timer === timer) < index)
      report([...at, index, "timer"], `"${timer}" is used twice`, "Each timer has one minimum.");
  }
  return minimums;
}

function readTimer(
  { timer: number, overloadAdjust, triggers: own }: ScaleTimersOverloadActionConfig_ScaleTimer,
  monitors: ReadonlySet<string>,
  path: DocumentPath,
  report: Report,
): TimerMinimum[] {
  const name = ScaleTimersOverloadActionConfig_TimerTypeSchema.value[number]?.name;
  const timer = scaledTimers.find((known): known is ScaledTimer => known === name);
  if (timer === undefined) {
    report([...path, "timer"], "no timer is named", `Use one of ${scaledTimers.join(", ")}.`);
    return [];
  }
  const triggers = own.length === 0 ? [] : readTriggers(own, monitors, [...path, "triggers"], report);
  switch (overloadAdjust.case) {
    case "minTimeout": {
      const minMs = durationMs(overloadAdjust.value);
      if (minMs < 0) report([...path, "min_timeout"], "must not be less than 0", "Write it like 2s.");
      return [{ timer, minMs, minShare: 0, triggers }];
    }
    case "minScale": {
      const { value } = overloadAdjust.value;
      if (!(value >= 0 && value <= 100))
        report([...path, "min_scale", "value"], "must be from 0 to 100", "It is in percent.");
      return [{ timer, minMs: 0, minShare: value / 100, triggers }];
    }
    default:
      report(path, "min_timeout or min_scale is missing", "Say how short the timer becomes.");
      return [];
  }
}

function readTriggers(
  triggers: readonly TriggerMessage[],
  monitors: ReadonlySet<string>,
  path: DocumentPath,
  report: Report,
): Trigger[] {
  if (triggers.length === 0) report(path, "the list is empty", "Say when it begins.");
  refuseTwice(triggers, path, "Each resource has one trigger.", report);
  return triggers.flatMap((one, index) => readTrigger(one, monitors, [...path, index], report));
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
