import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { LayeredRuntime } from "@heddle/xds/api/bootstrap";
import type { DocumentPath, Report } from "./source.ts";

/** Envoy's runtime, as far as it is a file: values under keys, in layers of which a later one wins. */
export interface RuntimeConfig {
  readonly layers: readonly { readonly name: string; readonly values: Readonly<Record<string, number>> }[];
  /** `envoy.resource_limits.listener.<name>.connection_limit`, by listener. */
  readonly listenerConnectionLimits: ReadonlyMap<string, number>;
  /** `overload.global_downstream_max_connections` */
  readonly maxConnections: number | undefined;
}

const globalKey = "overload.global_downstream_max_connections";
const listenerKey = /^envoy\.resource_limits\.listener\.(.+)\.connection_limit$/;

/** Reads the bootstrap's `layered_runtime`. A key that has no effect here is refused. */
export function readRuntime(message: LayeredRuntime | undefined, path: DocumentPath, report: Report): RuntimeConfig {
  const layers: { name: string; values: Record<string, number> }[] = [];
  for (const [index, layer] of (message?.layers ?? []).entries()) {
    const at = [...path, "layers", index];
    if (layer.layerSpecifier.case !== "staticLayer") {
      report(at, "must be a static_layer", "Other layers are not supported.");
      continue;
    }
    const values: Record<string, number> = {};
    for (const [keys, value] of entries(layer.layerSpecifier.value)) {
      const key = keys.join(".");
      const where = [...at, "static_layer", ...keys];
      if (key !== globalKey && !listenerKey.test(key))
        report(
          where,
          "is not a runtime key that has an effect here",
          `Use ${globalKey} or envoy.resource_limits.listener.<name>.connection_limit.`,
        );
      else if (typeof value !== "number" || !Number.isInteger(value) || value < 0)
        report(where, "must be a whole number", "Write a number of connections.");
      else values[key] = value;
    }
    layers.push({ name: layer.name, values });
  }
  const all = Object.assign({}, ...layers.map(({ values }) => values)) as Record<string, number>;
  const limits = Object.entries(all).flatMap(([key, value]): [string, number][] => {
    const listener = listenerKey.exec(key)?.[1];
    return listener === undefined ? [] : [[listener, value]];
  });
  return { layers, listenerConnectionLimits: new Map(limits), maxConnections: all[globalKey] };
}

/** Leaves of an object with the way to each; a key may itself have dots in it, as Envoy allows. */
function* entries(value: JsonObject, keys: readonly string[] = []): Generator<[keys: string[], value: JsonValue]> {
  for (const [key, inner] of Object.entries(value)) {
    if (typeof inner === "object" && inner !== null && !Array.isArray(inner)) yield* entries(inner, [...keys, key]);
    else yield [[...keys, key], inner];
  }
}
