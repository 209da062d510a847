import { finishGrpcWebError, finishGrpcWebHead, type RequestRecord } from "@heddle/engine";
import { Base64Decoder, encodeTrailersFrame, type Framing, type HeaderList } from "@heddle/http";

/** Longest part of a body that becomes the message of an error (Envoy, `MAX_BUFFERED_PLAINTEXT_LENGTH`). */
const maxMessageBytes = 16_384;
const chunked: Framing = { kind: "chunked" };

/** The bytes of one call between gRPC-Web, which its client speaks, and gRPC. The engine translates the heads (`beginGrpcWeb`). */
export class GrpcWebCall {
  /** The answer is not gRPC's: its head waits for its body. */
  isHeld = false;
  readonly #req: RequestRecord;
  readonly #decoder: Base64Decoder | undefined;
  #message = "";

  constructor(req: RequestRecord) {
    this.#req = req;
    this.#decoder = req.grpcWebRequest === "text" ? new Base64Decoder() : undefined;
  }

  /** Whether pieces of the request go through `decode`. */
  get isTextRequest(): boolean {
    return this.#decoder !== undefined;
  }

  /** A piece of a text request; undefined: it is no base64. */
  decode(bytes: Buffer, start: number, end: number): Buffer | undefined {
    return this.#decoder?.push(bytes, start, end);
  }

  /** False: the request ended within a quantum. */
  get isRequestWhole(): boolean {
    return this.#decoder?.isWhole ?? true;
  }

  /** The framing of the answer, whose head is made ready; it may be held. */
  head(status: number, headers: HeaderList, framing: Framing): Framing {
    const isEnd = framing.kind === "none" || (framing.kind === "length" && framing.bytes === 0);
    this.isHeld = !finishGrpcWebHead(this.#req, status, headers, isEnd);
    // The trailers follow in the body.
    return isEnd ? framing : chunked;
  }

  /** A piece of the answer as the client reads it. Text is padded with each piece, so that no message waits for the next. */
  encode(bytes: Buffer): Buffer {
    return this.#req.grpcWebResponse === "text" ? Buffer.from(bytes.toString("base64"), "latin1") : bytes;
  }

  trailers(trailers: HeaderList): Buffer {
    return this.encode(encodeTrailersFrame(trailers));
  }

  /** A piece of an answer that is held. */
  keep(bytes: Buffer, start: number, end: number): void {
    const room = maxMessageBytes - this.#message.length;
    if (room > 0) this.#message += bytes.toString("latin1", start, Math.min(end, start + room));
  }

  /** The head of an answer that was held, all of it now. */
  release(status: number, headers: HeaderList): void {
    this.isHeld = false;
    finishGrpcWebError(status, headers, Buffer.from(this.#message, "latin1").toString("utf8"));
  }
}
