import type { Metadata } from "./resource.ts";

/**
 * The universal order of conflict resolution (istio.md 4.9): creationTimestamp, then name, then namespace; the first wins.
 * Resources without a timestamp are equally old; beside one that has a timestamp they are the younger, since a cluster stamps
 * every resource it stores.
 */
export function compareAge(a: { readonly metadata: Metadata }, b: { readonly metadata: Metadata }): number {
  return (
    compareText(instant(a.metadata), instant(b.metadata)) ||
    compareText(a.metadata.name, b.metadata.name) ||
    compareText(a.metadata.namespace, b.metadata.namespace)
  );
}

/** Sorts after every four-digit year. */
const never = "~";

function instant(metadata: Metadata): string {
  const written = metadata.creationTimestamp;
  if (written === undefined) return never;
  const at = Date.parse(written);
  return Number.isNaN(at) ? never : new Date(at).toISOString();
}

/** By UTF-16 code unit: the order must not depend on a locale. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
