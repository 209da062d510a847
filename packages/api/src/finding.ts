import { findingCodes } from "./finding-codes.ts";
import type { FindingCode, Severity } from "./finding-codes.ts";

/** Which resource a finding speaks of. */
export interface ResourceIdentity {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** A place in a file a user wrote. `line` counts from 1. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
}

/**
 * What is wrong (or worth knowing) about user input: command-line output, status conditions and dashboard rows are made from it.
 *
 * An `error` on a resource rejects that resource whole; `warning` and `info` never do.
 */
export interface Finding {
  readonly severity: Severity;
  /** Stable: a code is never given another meaning. The table is `finding-codes.ts`. */
  readonly code: FindingCode;
  /** What is wrong, with the value that is wrong. One sentence or two, no place: that is `file` and `line`. */
  readonly message: string;
  readonly resource?: ResourceIdentity;
  readonly file?: string;
  /** Counts from 1. */
  readonly line?: number;
  /** What to do about it. */
  readonly hint: string;
}

/** `kind namespace/name`, the way every message names a resource. */
export function describeIdentity(resource: ResourceIdentity): string {
  return `${resource.kind} ${resource.namespace}/${resource.name}`;
}

/** `file:line`, or only what is known of it; "" when nothing is. */
export function describePlace(place: { readonly file?: string; readonly line?: number }): string {
  if (place.file === undefined) return "";
  return place.line === undefined ? place.file : `${place.file}:${place.line}`;
}

/** The same text for the same resource, for use as a key. */
export function identityKey(resource: ResourceIdentity): string {
  return describeIdentity(resource);
}

/** A finding with its code's severity and, unless the place knows better, its code's hint. */
export function makeFinding(
  code: FindingCode,
  parts: {
    message: string;
    hint?: string | undefined;
    file?: string;
    line?: number;
    resource?: ResourceIdentity | undefined;
  },
): Finding {
  const { severity, hint } = findingCodes[code];
  return {
    severity,
    code,
    message: parts.message,
    ...(parts.resource === undefined ? {} : { resource: parts.resource }),
    ...(parts.file === undefined ? {} : { file: parts.file }),
    ...(parts.line === undefined ? {} : { line: parts.line }),
    hint: parts.hint ?? hint,
  };
}
