import type { LogLevel } from "@heddle/core";

/** How one proxy is run: what its command line says, and nothing from the bootstrap. */
export interface ProxyOptions {
  /** File with the bootstrap, YAML or JSON. */
  readonly configPath: string | undefined;
  /** Bootstrap as text instead of a file, as Envoy's `--config-yaml`. */
  readonly configYaml: string | undefined;
  /** Directory for key, certificate, trust bundle and last good configuration. */
  readonly stateDir: string | undefined;
  readonly ca: CaOptions | undefined;
  readonly mode: "serve" | "validate";
  readonly concurrency: number;
  readonly logLevel: LogLevel;
  /** Longest time that open requests get when the proxy ends. */
  readonly drainTimeMs: number;
  /** For how much of that connections are still accepted: until whoever sends here knows that it ends. */
  readonly acceptTimeMs: number;
  /** Longest time that open requests and byte streams get when a new generation has taken over. */
  readonly handOverTimeMs: number;
  /** Longest time that a new generation may take to be ready before the one that serves goes on without it. */
  readonly startTimeMs: number;
  /** File for the secrets of TLS handshakes, for debugging; undefined: they are never written. */
  readonly tlsKeyLogFile: string | undefined;
  /** Wins over the bootstrap's `node.id` and `node.cluster`. */
  readonly serviceNode: string | undefined;
  readonly serviceCluster: string | undefined;
}

/** The certificate authority that signs this proxy's certificate. */
export interface CaOptions {
  /** host:port */
  readonly address: string;
  /** File with the join token; undefined when the state directory already holds a certificate. */
  readonly tokenFile: string | undefined;
  /** PEM file with the anchors that the authority's own certificate must chain to. */
  readonly trustBundleFile: string;
  /** The SPIFFE URI that the certificate shall carry; undefined: made from the node's metadata. */
  readonly identity: string | undefined;
}

/**
 * What a proxy does when its command line says nothing. Five seconds of draining are Istio's. After a hand-over nobody waits for
 * the old generation, so that its streams get longer: a minute, where Envoy gives a quarter of an hour.
 */
export const defaultOptions: ProxyOptions = {
  configPath: undefined,
  configYaml: undefined,
  stateDir: undefined,
  ca: undefined,
  mode: "serve",
  concurrency: 1,
  logLevel: "info",
  drainTimeMs: 5_000,
  acceptTimeMs: 0,
  handOverTimeMs: 60_000,
  startTimeMs: 60_000,
  tlsKeyLogFile: undefined,
  serviceNode: undefined,
  serviceCluster: undefined,
};
