import type { FindingCode } from "../finding-codes.ts";

export type Path = readonly (string | number)[];

/** What a rule across fields may do: report. Paths are relative to the object that the rule stands on. */
export interface CheckContext {
  /** The object's own path, for messages. */
  readonly path: Path;
  /** Namespace of the resource. */
  readonly namespace: string;
  report(code: FindingCode, at: Path, message: string, hint?: string): void;
}

/** A rule across the fields of one object. It sees the value only when each field is right by itself. */
export type Check<Shape = never> = (value: Shape, context: CheckContext) => void;

/** `spec.http[0].match[1].headers["x-user"]`: the way every message writes a path. */
export function describePath(path: Path): string {
  let written = "";
  for (const step of path) {
    if (typeof step === "number") written += `[${step}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(step)) written += written === "" ? step : `.${step}`;
    else written += `[${JSON.stringify(step)}]`;
  }
  return written === "" ? "the document" : written;
}
