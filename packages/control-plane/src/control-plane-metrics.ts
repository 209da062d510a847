import type { Interceptor, StreamRequest, StreamResponse, UnaryRequest, UnaryResponse } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Finding } from "@heddle/api";
import type { SeriesValues } from "@heddle/telemetry";
import { MetricReader, MetricWriter } from "@heddle/telemetry";
import type { DescMessage, MessageShape } from "@heddle/xds/api";
import {
  CLUSTER_TYPE,
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
  ENDPOINT_TYPE,
  isMessage,
  LISTENER_TYPE,
  ROUTE_TYPE,
  SECRET_TYPE,
} from "@heddle/xds/api";
import { IstioCertificateService } from "@heddle/xds/api/istio-ca";

/** Istio's short names; another type keeps its own. */
const shortTypes: ReadonlyMap<string, string> = new Map([
  [CLUSTER_TYPE, "cds"],
  [ENDPOINT_TYPE, "eds"],
  [LISTENER_TYPE, "lds"],
  [ROUTE_TYPE, "rds"],
  [SECRET_TYPE, "sds"],
]);

const requests = [DeltaDiscoveryRequestSchema, DiscoveryRequestSchema] as const;
const responses = [DeltaDiscoveryResponseSchema, DiscoveryResponseSchema] as const;

/** istiod's metrics, under its names, so that its dashboards and alerts go on working. */
export class ControlPlaneMetrics {
  readonly #reader = new MetricReader();
  readonly #writer = new MetricWriter({ announce: (series) => this.#reader.add(series) });

  constructor() {
    // A scrape before the first event shows zeros, not gaps: rates need a first value.
    for (const type of shortTypes.values()) {
      this.#pushes(type);
      this.#rejects(type);
    }
    this.#csrs();
    this.#issued();
    this.#unauthenticated();
    this.#passed();
  }

  /** What a scrape gets. */
  read(connectedProxies: number): SeriesValues[][] {
    this.#writer.gauge("pilot_xds", "Number of streams of proxies connected by xDS.").set(connectedProxies);
    return this.#reader.read();
  }

  /** `onJudged` of `MeshConfiguration`. */
  readonly countValidation = (passed: number, failed: readonly Finding[]): void => {
    this.#passed().add(passed);
    for (const { code } of failed) {
      this.#writer.counter("galley_validation_failed", "Resources refused, by finding.", [["reason", code]]).add(1);
    }
  };

  /** Counts what the services say on the wire. */
  readonly interceptor: Interceptor = (next) => (call) =>
    call.stream ? this.#stream(next, call) : this.#unary(next, call);

  async #stream(next: Parameters<Interceptor>[0], call: StreamRequest): Promise<StreamResponse> {
    const message = tap(call.message, (request) => {
      const answer = pick(request, requests);
      if (answer?.errorDetail !== undefined) this.#rejects(shortName(answer.typeUrl)).add(1);
    });
    const response = await next({ ...call, message });
    // A streaming call has a streaming response.
    const stream = response as StreamResponse;
    return {
      ...stream,
      message: tap(stream.message, (sent) => {
        const push = pick(sent, responses);
        if (push !== undefined) this.#pushes(shortName(push.typeUrl)).add(1);
      }),
    };
  }

  async #unary(next: Parameters<Interceptor>[0], call: UnaryRequest): Promise<UnaryResponse | StreamResponse> {
    if (call.service.typeName !== IstioCertificateService.typeName) return next(call);
    this.#csrs().add(1);
    try {
      const response = await next(call);
      this.#issued().add(1);
      return response;
    } catch (error) {
      const { code } = ConnectError.from(error);
      if (code === Code.Unauthenticated || code === Code.PermissionDenied) this.#unauthenticated().add(1);
      throw error;
    }
  }

  #pushes(type: string) {
    return this.#writer.counter("pilot_xds_pushes", "Responses sent to proxies, by type.", [["type", type]]);
  }

  #rejects(type: string) {
    return this.#writer.counter("pilot_total_xds_rejects", "Responses that proxies refused, by type.", [
      ["type", type],
    ]);
  }

  #csrs() {
    return this.#writer.counter("citadel_server_csr_count", "Certificates asked for.");
  }

  #issued() {
    return this.#writer.counter("citadel_server_success_cert_issuance_count", "Certificates issued.");
  }

  #unauthenticated() {
    return this.#writer.counter(
      "citadel_server_authentication_failure_count",
      "Certificates refused for want of a proof.",
    );
  }

  #passed() {
    return this.#writer.counter("galley_validation_passed", "Resources that were taken: new, changed, or moved.");
  }
}

function shortName(typeUrl: string): string {
  return shortTypes.get(typeUrl) ?? "other";
}

/** The message as the first schema that it is of. */
function pick<Desc extends DescMessage>(message: unknown, schemas: readonly Desc[]): MessageShape<Desc> | undefined {
  for (const schema of schemas) if (isMessage(message, schema)) return message;
  return undefined;
}

/** Shows each member to `look` on its way; the reader's pace stays the writer's. */
async function* tap<Member>(members: AsyncIterable<Member>, look: (member: Member) => void): AsyncGenerator<Member> {
  for await (const member of members) {
    look(member);
    yield member;
  }
}
