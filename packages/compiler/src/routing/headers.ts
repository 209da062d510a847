import type { HeaderOperations, Headers } from "@heddle/api";
import { HeaderValueOption_HeaderAppendAction } from "@heddle/xds/api";

/** Header operations of a route or of one of its destinations. */
export interface CompiledHeaders {
  readonly requestHeadersToAdd: ReturnType<typeof valuesToAdd>;
  readonly requestHeadersToRemove: string[];
  readonly responseHeadersToAdd: ReturnType<typeof valuesToAdd>;
  readonly responseHeadersToRemove: string[];
  /** `set` (or else `add`) of `host` or `:authority` on requests: it rewrites the host. */
  readonly authority: string | undefined;
}

export function compileHeaders(headers: Headers | undefined): CompiledHeaders {
  const request = headers?.request;
  const response = headers?.response;
  return {
    requestHeadersToAdd: valuesToAdd(request),
    requestHeadersToRemove: namesToRemove(request),
    responseHeadersToAdd: valuesToAdd(response),
    responseHeadersToRemove: namesToRemove(response),
    authority: authorityAmong(request?.set) ?? authorityAmong(request?.add),
  };
}

/** The operations that stand on the message itself, `authority` apart. */
export function headerFields(headers: CompiledHeaders): Omit<CompiledHeaders, "authority"> {
  const { requestHeadersToAdd, requestHeadersToRemove, responseHeadersToAdd, responseHeadersToRemove } = headers;
  return { requestHeadersToAdd, requestHeadersToRemove, responseHeadersToAdd, responseHeadersToRemove };
}

/** First what is set, then what is added, each by name, since the order of a map's keys says nothing. */
function valuesToAdd(operations: HeaderOperations | undefined) {
  return [
    ...entriesByName(operations?.set).map(([key, value]) => ({
      header: { key, value },
      appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
    })),
    ...entriesByName(operations?.add).map(([key, value]) => ({
      header: { key, value },
      appendAction: HeaderValueOption_HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD,
    })),
  ];
}

function namesToRemove(operations: HeaderOperations | undefined): string[] {
  return (operations?.remove ?? []).filter((name) => !isReserved(name));
}

function entriesByName(values: Readonly<Record<string, string>> | undefined): [string, string][] {
  return Object.entries(values ?? {})
    .filter(([name]) => !isReserved(name))
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Envoy refuses header operations on these. */
function isReserved(name: string): boolean {
  return name.startsWith(":") || name.toLowerCase() === "host";
}

function authorityAmong(values: Readonly<Record<string, string>> | undefined): string | undefined {
  for (const [name, value] of Object.entries(values ?? {})) {
    if (name.toLowerCase() === ":authority" || name.toLowerCase() === "host") return value;
  }
  return undefined;
}
