import { formatAddress, type SocketAddress } from "@heddle/net";

/** A listener, as far as one is looked for by the address that it stands for. */
export interface Addressed {
  /** Where it listens; of one that is bound to no port, what its configuration says. */
  readonly addresses: readonly SocketAddress[];
}

/**
 * Finds the listener that stands for a restored destination: the exact address, else the port on every address of that family, as Envoy's
 * `getBalancedHandlerByAddress`. A socket on `::` takes IPv4, too, so IPv4 destinations find it when `0.0.0.0` has no listener.
 */
export class DestinationIndex<T extends Addressed> {
  readonly #byAddress = new Map<string, T>();

  /** Of two listeners for one address the first one gets it. */
  rebuild(listeners: Iterable<T>): void {
    this.#byAddress.clear();
    for (const listener of listeners) {
      for (const { host, port } of listener.addresses) {
        const key = formatAddress(host, port);
        if (!this.#byAddress.has(key)) this.#byAddress.set(key, listener);
      }
    }
  }

  find({ host, port }: SocketAddress): T | undefined {
    const exact = this.#byAddress.get(formatAddress(host, port));
    if (exact !== undefined) return exact;
    const ofFamily = host.includes(":") ? undefined : this.#byAddress.get(`0.0.0.0:${port}`);
    return ofFamily ?? this.#byAddress.get(`[::]:${port}`);
  }
}
