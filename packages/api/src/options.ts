export interface SetOptions {
  /** Namespace whose selector-less policies hold for the whole mesh; "istio-system" unless set. */
  readonly rootNamespace: string;
  /** "cluster.local" unless set. */
  readonly trustDomain: string;
}
