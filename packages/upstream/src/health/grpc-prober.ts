import { BoundHeaderMutation, type GrpcCheckConfig } from "@heddle/engine";
import { HeaderList } from "@heddle/http";
import type { ExchangeSink, UpstreamExchange } from "../exchange.ts";
import { ExchangeProbe, noRequest } from "./exchange-probe.ts";
import { decodeCheckResponse, encodeCheckRequest, serving } from "./grpc-health-message.ts";
import type { Prober, ProbeOutcome } from "./prober.ts";

/** No answer is longer than a message with one small number. */
const maxResponseBytes = 64;

/** `grpc_health_check`: the server says SERVING of the service (gRPC Health Checking Protocol). */
export class GrpcProber implements Prober {
  readonly #config: GrpcCheckConfig;
  readonly #headers: BoundHeaderMutation;
  readonly #authority: string;
  readonly #timeoutMs: number;
  readonly #open: (sink: ExchangeSink) => UpstreamExchange;
  #probe: GrpcProbe | undefined;

  constructor(
    config: GrpcCheckConfig,
    authority: string,
    timeoutMs: number,
    open: (sink: ExchangeSink) => UpstreamExchange,
  ) {
    this.#config = config;
    this.#headers = new BoundHeaderMutation([config.metadata]);
    this.#authority = authority;
    this.#timeoutMs = timeoutMs;
    this.#open = open;
  }

  probe(done: (outcome: ProbeOutcome) => void): void {
    const { serviceName } = this.#config;
    const probe = new GrpcProbe(done);
    this.#probe = probe;
    const headers = new HeaderList();
    headers.set("content-type", "application/grpc");
    headers.set("te", "trailers");
    headers.set("grpc-timeout", `${Math.max(1, Math.round(this.#timeoutMs))}m`);
    headers.set("user-agent", "Heddle/HC");
    this.#headers.apply(headers, noRequest, undefined);
    const message = encodeCheckRequest(serviceName);
    probe.start(this.#open, (exchange) => {
      exchange.sendHead("POST", "/grpc.health.v1.Health/Check", this.#authority, headers, { kind: "chunked" });
      exchange.sendData(message, 0, message.length);
      exchange.end();
    });
  }

  cancel(): void {
    this.#probe?.cancel();
    this.#probe = undefined;
  }

  close(): void {
    this.cancel();
  }
}

class GrpcProbe extends ExchangeProbe {
  #body: Buffer = Buffer.alloc(0);

  onData(bytes: Buffer, start: number, end: number): void {
    if (this.#body.length <= maxResponseBytes) this.#body = Buffer.concat([this.#body, bytes.subarray(start, end)]);
  }

  protected judge(): ProbeOutcome {
    if (this.status !== 200) return { kind: "refused", reason: `the HTTP status is ${this.status}` };
    // An answer without messages has its status in the head.
    const fields = this.trailers ?? this.headers;
    const grpcStatus = fields.get("grpc-status");
    if (grpcStatus !== "0")
      return {
        kind: "refused",
        reason: `the gRPC status is ${grpcStatus ?? "missing"} ${fields.get("grpc-message") ?? ""}`,
      };
    const status = decodeCheckResponse(this.#body);
    if (status === serving) return { kind: "healthy" };
    return {
      kind: "refused",
      reason: status === undefined ? "the response cannot be read" : `the serving status is ${status}`,
    };
  }
}
