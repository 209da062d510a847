import type { Message } from "@bufbuild/protobuf";
import type { Node } from "../api/index.ts";
import type { CallOptions, GrpcConnection } from "./grpc-connection.ts";
import type { TypeCache } from "./type-cache.ts";
import type { ReceivedResource, Rejection } from "./update.ts";

/** What the two forms of xDS differ in. Sibling implementations: `delta.ts`, `sotw.ts`. */
export interface Protocol<Request extends Message, Response extends Message> {
  open(connection: GrpcConnection, requests: AsyncIterable<Request>, options: CallOptions): AsyncIterable<Response>;
  /** The first request of a type on a stream; `node` on the first request of all. */
  subscribe(cache: TypeCache, node: Node | undefined): Request;
  /** Tells a change of names. `nonce`: of the last response of the type on this stream, else empty. */
  resubscribe(cache: TypeCache, added: string[], dropped: string[], nonce: string): Request;
  typeOf(response: Response): string;
  read(response: Response, cache: TypeCache): ReceivedResponse;
  /** ACK, or NACK with the reason; `cache` already holds what was accepted. */
  answer(cache: TypeCache, response: ReceivedResponse, reason: string | undefined): Request;
}

export interface ReceivedResponse {
  readonly type: string;
  readonly version: string;
  readonly nonce: string;
  readonly identifier: string;
  readonly resources: readonly ReceivedResource[];
  /** Resources that cannot even be read. */
  readonly unreadable: readonly Rejection[];
  readonly removed: readonly string[];
  readonly isFull: boolean;
}
