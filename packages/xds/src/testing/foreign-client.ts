import type { TestContext } from "node:test";
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from "../api/index.ts";
import { EventWaiter } from "@heddle/testkit";

const service = "/envoy.service.discovery.v3.AggregatedDiscoveryService";

/** A stream of gRPC's own implementation, which shares no code with ours but the message classes. */
export class ForeignStream<Request extends DescMessage, Response extends DescMessage> {
  readonly call: ClientDuplexStream<MessageShape<Request>, MessageShape<Response>>;
  readonly #request: Request;
  readonly #received: MessageShape<Response>[] = [];
  readonly #events = new EventWaiter();
  #end: ServiceError | "ended" | undefined;

  constructor(client: Client, method: string, request: Request, response: Response, metadata: Metadata) {
    this.#request = request;
    this.call = client.makeBidiStreamRequest(
      `${service}/${method}`,
      (message: MessageShape<Request>) => Buffer.from(toBinary(request, message)),
      (bytes: Buffer) => fromBinary(response, bytes),
      metadata,
    );
    this.call.on("data", (message: MessageShape<Response>) => {
      this.#received.push(message);
      this.#events.notify();
    });
    this.call.on("error", (error: ServiceError) => {
      this.#end = error;
      this.#events.notify();
    });
    this.call.on("end", () => {
      this.#end ??= "ended";
      this.#events.notify();
    });
  }

  send(init: MessageInitShape<Request>): void {
    this.call.write(create(this.#request, init));
  }

  /** The next response. */
  async next(): Promise<MessageShape<Response>> {
    await this.#events.until("a response", () => this.#received.length > 0 || this.#end !== undefined);
    const message = this.#received.shift();
    if (message === undefined) throw new Error("the stream ended", { cause: this.#end });
    return message;
  }

  /** Responses that came and were not asked for with `next`. */
  get unread(): number {
    return this.#received.length;
  }

  /** How the stream ends: the error, or "ended" for status OK. */
  async ended(): Promise<ServiceError | "ended"> {
    await this.#events.until("the end of the stream", () => this.#end !== undefined);
    return this.#end ?? "ended";
  }
}

export class ForeignClient {
  readonly #client: Client;
  readonly #metadata = new Metadata();

  constructor(t: TestContext, address: string, peer = "") {
    this.#client = new Client(address, credentials.createInsecure());
    if (peer !== "") this.#metadata.set("x-test-peer", peer);
    t.after(() => this.#client.close());
  }

  delta(): ForeignStream<typeof DeltaDiscoveryRequestSchema, typeof DeltaDiscoveryResponseSchema> {
    return new ForeignStream(
      this.#client,
      "DeltaAggregatedResources",
      DeltaDiscoveryRequestSchema,
      DeltaDiscoveryResponseSchema,
      this.#metadata,
    );
  }

  sotw(): ForeignStream<typeof DiscoveryRequestSchema, typeof DiscoveryResponseSchema> {
    return new ForeignStream(
      this.#client,
      "StreamAggregatedResources",
      DiscoveryRequestSchema,
      DiscoveryResponseSchema,
      this.#metadata,
    );
  }
}
