import type { JsonObject, Message } from "@bufbuild/protobuf";
import type { ClusterConfig, SocketAddress } from "@heddle/engine";
import type { Node, ResourceType } from "@heddle/xds/api";
import type { OverloadConfig } from "../overload/config.ts";
import type { RuntimeConfig } from "./runtime.ts";

/** A bootstrap that this proxy can serve: checked whole, its resources still messages. */
export interface BootstrapConfig {
  /** As it was read: an `envoy.config.bootstrap.v3.Bootstrap` as bytes, of which its message takes many times more. */
  readonly value: Uint8Array;
  readonly node: Node;
  readonly nodeMetadata: JsonObject;
  /** undefined: no admin port. */
  readonly admin: SocketAddress | undefined;
  /** In the order in which they refer to each other: secrets, clusters, listeners. */
  readonly resources: readonly { readonly type: ResourceType; readonly name: string; readonly message: Message }[];
  readonly ads: AdsConfig | undefined;
  readonly overload: OverloadConfig;
  readonly runtime: RuntimeConfig;
}

export interface AdsConfig {
  /** The static cluster that holds the control plane's addresses and TLS context. */
  readonly cluster: ClusterConfig;
  readonly delta: boolean;
  readonly wantsListeners: boolean;
  readonly wantsClusters: boolean;
  /** How long to wait before the stream is opened again; the delay lies between nothing and a bound that doubles. */
  readonly backoff: { readonly baseMs: number; readonly maxMs: number };
}

/** Something in the file that cannot be served. Line 0: not from a file. */
export interface BootstrapProblem {
  readonly path: string;
  readonly line: number;
  readonly message: string;
  readonly hint: string;
}

export type ParsedBootstrap =
  | { readonly config: BootstrapConfig; readonly problems: readonly [] }
  | { readonly config: undefined; readonly problems: readonly BootstrapProblem[] };
