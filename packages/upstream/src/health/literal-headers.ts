import type { HeaderMutationConfig } from "@heddle/engine";
import type { HeaderList } from "@heddle/http";

/** Applies header options whose values hold no operators, in Envoy's order: removals, then each option as its action says. */
export function applyLiteralHeaders({ remove, set }: HeaderMutationConfig, headers: HeaderList): void {
  for (const name of remove) headers.remove(name);
  for (const { name, value, action, keepEmptyValue } of set) {
    if (value === "" && !keepEmptyValue) continue;
    const isThere = headers.has(name);
    if ((action === "add-if-absent" && isThere) || (action === "overwrite-if-exists" && !isThere)) continue;
    if (action === "append-if-exists-or-add" || action === "add-if-absent") headers.append(name, value);
    else headers.set(name, value);
  }
}
