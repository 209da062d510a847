/** A service that resources may name. `host` is its full lower-case DNS name. */
export interface KnownService {
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
  readonly ports: readonly number[];
}

export interface SetOptions {
  /** Namespace whose selector-less policies hold for the whole mesh; "istio-system" unless set. */
  readonly rootNamespace: string;
  /** "cluster.local" unless set. */
  readonly trustDomain: string;
}
