import type { HeaderMutationConfig, HeaderSetConfig } from "../config/header-mutation.ts";
import { compileHeaderFormat, type FormatView, type HeaderFormat } from "./format.ts";
import type { MutableHeaders } from "./headers.ts";
import { encodeUtf8AsLatin1 } from "./regex.ts";

interface BoundHeaderSet {
  readonly name: string;
  readonly action: HeaderSetConfig["action"];
  readonly keepEmptyValue: boolean;
  readonly format: HeaderFormat;
}

interface Level {
  readonly remove: readonly string[];
  readonly set: readonly BoundHeaderSet[];
}

/** Header mutations of one or more levels, in the order in which they run. */
export class BoundHeaderMutation {
  readonly isEmpty: boolean;
  readonly #levels: readonly Level[];

  constructor(configs: readonly HeaderMutationConfig[]) {
    this.#levels = configs.filter((config) => config.remove.length > 0 || config.set.length > 0).map(bindLevel);
    this.isEmpty = this.#levels.length === 0;
  }

  /** `response` is what `%RESP()%` reads; `headers` is what changes. */
  apply(headers: MutableHeaders, req: FormatView, response: MutableHeaders | undefined): void {
    for (let i = 0; i < this.#levels.length; i++) applyLevel(this.#levels[i] as Level, headers, req, response);
  }
}

function bindLevel(config: HeaderMutationConfig): Level {
  return {
    remove: config.remove,
    set: config.set.map(({ name, value, action, keepEmptyValue }) => ({
      name,
      action,
      keepEmptyValue,
      format: compileHeaderFormat(encodeUtf8AsLatin1(value)),
    })),
  };
}

/**
 * Envoy's HeaderParser::evaluateHeaders: removals first; then every value is computed and every condition judged on the
 * headers as they are; then overwrites, then additions.
 */
function applyLevel(
  level: Level,
  headers: MutableHeaders,
  req: FormatView,
  response: MutableHeaders | undefined,
): void {
  for (let i = 0; i < level.remove.length; i++) headers.remove(level.remove[i] as string);
  const sets = level.set;
  if (sets.length === 0) return;
  if (sets.length === 1) {
    const only = sets[0] as BoundHeaderSet;
    const value = only.format.constant ?? only.format.format(req, response);
    if ((value !== "" || only.keepEmptyValue) && isWanted(only, headers)) write(only, value, headers);
    return;
  }
  const values: (string | undefined)[] = [];
  for (let i = 0; i < sets.length; i++) {
    const set = sets[i] as BoundHeaderSet;
    const value = set.format.constant ?? set.format.format(req, response);
    values.push((value !== "" || set.keepEmptyValue) && isWanted(set, headers) ? value : undefined);
  }
  for (let pass = 0; pass < 2; pass++) {
    for (let i = 0; i < sets.length; i++) {
      const set = sets[i] as BoundHeaderSet;
      const value = values[i];
      if (value !== undefined && isOverwrite(set) === (pass === 0)) write(set, value, headers);
    }
  }
}

function isOverwrite(set: BoundHeaderSet): boolean {
  return set.action === "overwrite-if-exists" || set.action === "overwrite-if-exists-or-add";
}

function isWanted(set: BoundHeaderSet, headers: MutableHeaders): boolean {
  if (set.action === "add-if-absent") return !headers.has(set.name);
  if (set.action === "overwrite-if-exists") return headers.has(set.name);
  return true;
}

function write(set: BoundHeaderSet, value: string, headers: MutableHeaders): void {
  if (isOverwrite(set)) headers.set(set.name, value);
  else headers.append(set.name, value);
}
