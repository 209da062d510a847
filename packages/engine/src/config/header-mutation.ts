/**
 * `envoy.config.core.v3.HeaderValueOption`. `name` is lower-case. `value` may hold Envoy's command operators
 * (`%REQ(x)%`, `%%` for a percent sign); the loader has checked them.
 */
export interface HeaderSetConfig {
  readonly name: string;
  readonly value: string;
  readonly action: "append-if-exists-or-add" | "add-if-absent" | "overwrite-if-exists-or-add" | "overwrite-if-exists";
  /** When false, an empty value (after formatting) adds nothing. */
  readonly keepEmptyValue: boolean;
}

/** Mutations of one level; removals are applied before additions (Envoy's `HeaderParser::evaluateHeaders`). */
export interface HeaderMutationConfig {
  readonly remove: readonly string[];
  readonly set: readonly HeaderSetConfig[];
}
