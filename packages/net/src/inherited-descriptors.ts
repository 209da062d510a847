import { formatAddress, parseAddress } from "./ip-address.ts";

/** Environment variable that names listening sockets inherited from the parent: `127.0.0.1:41000=4,[::1]:41001=5`. */
export const listenDescriptorsVariable = "HEDDLE_LISTEN_FDS";

/** Sockets bound by a parent process, by address text as `formatAddress` makes it. */
export type InheritedDescriptors = ReadonlyMap<string, number>;

/** Reads the variable's value; undefined when it is malformed, so that a typo never silently binds a second socket. Empty or absent: none. */
export function parseInheritedDescriptors(value: string | undefined): InheritedDescriptors | undefined {
  const descriptors = new Map<string, number>();
  if (value === undefined || value === "") return descriptors;
  for (const entry of value.split(",")) {
    const equals = entry.lastIndexOf("=");
    const address = parseAddress(entry.slice(0, equals));
    const descriptor = entry.slice(equals + 1);
    // 0 to 2 are the standard streams.
    if (equals === -1 || address === undefined || !/^\d{1,6}$/.test(descriptor) || Number(descriptor) < 3)
      return undefined;
    const key = formatAddress(address.host, address.port);
    if (descriptors.has(key)) return undefined;
    descriptors.set(key, Number(descriptor));
  }
  return descriptors;
}

/** The variable's value for a child whose `stdio` array carries these descriptors. */
export function formatInheritedDescriptors(descriptors: InheritedDescriptors): string {
  return [...descriptors].map(([address, descriptor]) => `${address}=${descriptor}`).join(",");
}
