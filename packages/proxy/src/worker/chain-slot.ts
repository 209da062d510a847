import type { BoundFilterChain } from "@heddle/engine";
import type { HttpChain } from "./http-chain.ts";

/**
 * The current version of one filter chain, shared by the connections that chose it: a new policy or route table holds for
 * the next request of a connection that is already open.
 */
export interface ChainSlot {
  /** undefined: the chain is gone, and its connections are to end. */
  chain: BoundFilterChain | undefined;
  http: HttpChain | undefined;
}
