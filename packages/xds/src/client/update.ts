import type { Message } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";

export interface ReceivedResource {
  readonly name: string;
  /** The control plane's version of this resource; in state of the world, of the response. */
  readonly version: string;
  /** As it came, for storing. */
  readonly resource: Any;
  readonly message: Message;
}

export interface ResourceUpdate {
  readonly type: string;
  /** New or changed, and what the control plane chose to repeat. */
  readonly added: readonly ReceivedResource[];
  /** Names that no longer exist, or that were asked for and do not exist. */
  readonly removed: readonly string[];
  /** `added` is everything there is of this type. */
  readonly isFull: boolean;
}

export interface Rejection {
  readonly name: string;
  readonly error: string;
}

export interface UpdateResult {
  /** Resources of `added` that were refused; the others are in force. Empty: all are. */
  readonly rejected: readonly Rejection[];
}
