/** A value as YAML's core schema and JSON know it. */
export type PlainValue =
  | string
  | number
  | boolean
  | null
  | readonly PlainValue[]
  | { readonly [key: string]: PlainValue };

export interface YamlProblem {
  readonly code: "HDL0001" | "HDL0002" | "HDL0007" | "HDL0035";
  readonly line: number;
  readonly message: string;
  readonly hint?: string;
}
