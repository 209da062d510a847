import type { Message } from "@bufbuild/protobuf";
import type { Node } from "../api/index.ts";
import type { VersionedResource } from "./snapshot.ts";
import type { Push, Subscription } from "./subscription.ts";

/** What the two forms of xDS differ in. Sibling implementations: `delta.ts`, `sotw.ts`. */
export interface Protocol<Request extends Message, Response extends Message> {
  readonly name: "delta" | "sotw";
  readHead(request: Request): RequestHead;
  /** Takes over which names the request wants. False: the request is to be ignored whole. */
  subscribe(request: Request, subscription: Subscription): boolean;
  /** The resources that the response for `push` holds. */
  contents(push: Push): readonly VersionedResource[];
  /**
   * The response for `push`, which the subscription has already booked; undefined when this form of xDS has no words for it
   * and the client finds out otherwise.
   */
  respond(push: Push, head: ResponseHead): Response | undefined;
}

export interface RequestHead {
  readonly type: string;
  readonly node: Node | undefined;
  /** Nonce of the response that is answered; empty when none is. */
  readonly nonce: string;
  /** Why the response was refused; undefined for an ACK. */
  readonly refusal: string | undefined;
}

export interface ResponseHead {
  readonly version: string;
  readonly nonce: string;
  /** Who answers, for `control_plane`. */
  readonly identifier: string;
}
