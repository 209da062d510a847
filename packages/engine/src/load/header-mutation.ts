import { type HeaderValueOption, HeaderValueOption_HeaderAppendAction } from "@heddle/xds/api";
import { formatProblem } from "../bind/format.ts";
import type { HeaderMutationConfig, HeaderSetConfig } from "../config/header-mutation.ts";
import type { Loading, Path } from "./loading.ts";
import { loadHeaderName, loadHeaderValue } from "./string-match.ts";

const actions: Readonly<Record<HeaderValueOption_HeaderAppendAction, HeaderSetConfig["action"]>> = {
  [HeaderValueOption_HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD]: "append-if-exists-or-add",
  [HeaderValueOption_HeaderAppendAction.ADD_IF_ABSENT]: "add-if-absent",
  [HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD]: "overwrite-if-exists-or-add",
  [HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS]: "overwrite-if-exists",
};

/** Shared: most routes change no headers, and a mesh has thousands of them. */
const noMutation: HeaderMutationConfig = { remove: [], set: [] };

/** `fields` are the names of the two lists in the message, for paths. */
export function loadHeaderMutation(
  add: readonly HeaderValueOption[],
  remove: readonly string[],
  at: Path,
  fields: "request_headers" | "response_headers",
  loading: Loading,
): HeaderMutationConfig {
  if (add.length === 0 && remove.length === 0) return noMutation;
  return {
    remove: loadHeaderRemovals(remove, at.field(`${fields}_to_remove`), loading),
    set: add.map((option, index) => loadHeaderSet(option, at.field(`${fields}_to_add`).index(index), loading)),
  };
}

export function loadHeaderRemovals(names: readonly string[], at: Path, loading: Loading): string[] {
  return names.map((name, index) => loadModifiableName(name, at.index(index), loading));
}

/** Pseudo-headers and host are changed by rewrites, not by header mutations (Envoy refuses them, too). */
function loadModifiableName(name: string, at: Path, loading: Loading): string {
  const lower = loadHeaderName(name, at, loading);
  if (lower.startsWith(":") || lower === "host") {
    loading.problem(at, `"${lower}" may not be changed as a header`, "use host_rewrite or a path rewrite");
  }
  return lower;
}

/** @param at of the `HeaderValueOption` */
export function loadHeaderSet(option: HeaderValueOption, at: Path, loading: Loading): HeaderSetConfig {
  const header = at.field("header");
  const value = loadHeaderValue(option.header?.value ?? "", header.field("value"), loading);
  loading.checked(
    formatProblem(value),
    header.field("value"),
    "write %% for a percent sign; see the supported operators",
  );
  const appends = option.append ?? true;
  if (
    option.append !== undefined &&
    option.appendAction !== HeaderValueOption_HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD
  ) {
    loading.problem(at.field("append"), "append and append_action are both set", "use append_action alone");
  }
  return {
    name: loadModifiableName(option.header?.key ?? "", header.field("key"), loading),
    value,
    action: appends ? (actions[option.appendAction] ?? "append-if-exists-or-add") : "overwrite-if-exists-or-add",
    keepEmptyValue: option.keepEmptyValue,
  };
}
