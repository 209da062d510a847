import { GrpcError, grpcStatus } from "./grpc-error.ts";

/** Flags and length (gRPC, "Length-Prefixed-Message"). */
const headBytes = 5;

/**
 * Bytes of the longest message that is taken: some hundred thousand clusters in one response. A length of four bytes could ask for 4 GiB of
 * memory.
 */
const maxMessageBytes = 256 * 1024 * 1024;

export function frameMessage(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(headBytes + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, headBytes);
  return frame;
}

/** Takes the bytes of a stream in pieces of any size and gives its messages. */
export class MessageReader {
  #pieces: Buffer[] = [];
  #length = 0;
  /** Bytes, head included, that must be there before there is something to do. */
  #wanted = headBytes;
  #hasHead = false;

  get isWithinMessage(): boolean {
    return this.#length > 0;
  }

  /** The messages that are whole by now. @throws GrpcError for a compressed one, as no compression is offered, and for one that is too long */
  *read(piece: Buffer): Generator<Uint8Array> {
    this.#pieces.push(piece);
    this.#length += piece.length;
    while (this.#length >= this.#wanted) {
      // Only now, so that a message in many pieces is copied once.
      const bytes = this.#pieces.length === 1 ? (this.#pieces[0] ?? piece) : Buffer.concat(this.#pieces);
      this.#pieces = [bytes];
      if (!this.#hasHead) {
        if (bytes[0] !== 0) throw new GrpcError(grpcStatus.internal, "the server compressed a message, unasked");
        const length = bytes.readUInt32BE(1);
        if (length > maxMessageBytes)
          throw new GrpcError(
            grpcStatus.resourceExhausted,
            `the server sends a message of ${length} bytes; ${maxMessageBytes} are taken at most`,
          );
        this.#hasHead = true;
        this.#wanted = headBytes + length;
        continue;
      }
      // Not as a Buffer, whose kind the bytes within the message would be of, too: `slice` and JSON treat that differently.
      yield new Uint8Array(bytes.buffer, bytes.byteOffset + headBytes, this.#wanted - headBytes);
      const rest = bytes.subarray(this.#wanted);
      this.#pieces = rest.length === 0 ? [] : [rest];
      this.#length = rest.length;
      this.#wanted = headBytes;
      this.#hasHead = false;
    }
  }
}
