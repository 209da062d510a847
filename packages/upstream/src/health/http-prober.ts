import { BoundHeaderMutation, type HttpCheckConfig, matchesString, type StatusRange } from "@heddle/engine";
import { HeaderList } from "@heddle/http";
import type { ExchangeSink, UpstreamExchange } from "../exchange.ts";
import { ExchangeProbe, noRequest } from "./exchange-probe.ts";
import { PayloadMatcher } from "./payload-matcher.ts";
import type { Prober, ProbeOutcome } from "./prober.ts";

/** Envoy's names: whose health was checked, and that an endpoint is to be used only when others are not there. */
const checkedCluster = "x-envoy-upstream-healthchecked-cluster";
const degraded = "x-envoy-degraded";

/** `http_health_check`: a request whose response has an expected status, and body where one is expected. */
export class HttpProber implements Prober {
  readonly #config: HttpCheckConfig;
  readonly #headers: BoundHeaderMutation;
  readonly #authority: string;
  readonly #open: (sink: ExchangeSink) => UpstreamExchange;
  #probe: HttpProbe | undefined;

  constructor(config: HttpCheckConfig, authority: string, open: (sink: ExchangeSink) => UpstreamExchange) {
    this.#config = config;
    this.#headers = new BoundHeaderMutation([config.headers]);
    this.#authority = authority;
    this.#open = open;
  }

  probe(done: (outcome: ProbeOutcome) => void): void {
    const { path, method, body } = this.#config;
    const probe = new HttpProbe(this.#config, done);
    this.#probe = probe;
    const headers = new HeaderList();
    headers.set("user-agent", "Heddle/HC");
    this.#headers.apply(headers, noRequest, undefined);
    probe.start(this.#open, (exchange) => {
      const framing = body === undefined ? { kind: "none" as const } : { kind: "length" as const, bytes: body.length };
      exchange.sendHead(method, path, this.#authority, headers, framing);
      if (body !== undefined) exchange.sendData(Buffer.from(body), 0, body.length);
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

class HttpProbe extends ExchangeProbe {
  readonly #config: HttpCheckConfig;
  readonly #matcher: PayloadMatcher;
  #bodyBytes = 0;

  constructor(config: HttpCheckConfig, done: (outcome: ProbeOutcome) => void) {
    super(done);
    this.#config = config;
    this.#matcher = new PayloadMatcher(config.receive);
  }

  onData(bytes: Buffer, start: number, end: number): void {
    const { responseBufferBytes } = this.#config;
    const left = responseBufferBytes === 0 ? end - start : Math.max(0, responseBufferBytes - this.#bodyBytes);
    this.#bodyBytes += end - start;
    this.#matcher.push(bytes, start, Math.min(end, start + left));
  }

  protected judge(): ProbeOutcome {
    const { expectedStatuses, retriableStatuses, serviceName } = this.#config;
    const { status, headers } = this;
    if (!isIn(expectedStatuses, status)) {
      const kind = isIn(retriableStatuses, status) ? "retriable" : "refused";
      return { kind, reason: `the status is ${status}` };
    }
    if (!this.#matcher.isComplete) return { kind: "refused", reason: "the body is not the expected one" };
    if (serviceName !== undefined && !matchesString(serviceName)(headers.get(checkedCluster) ?? ""))
      return { kind: "other-service", reason: `it serves "${headers.get(checkedCluster) ?? ""}"` };
    return headers.has(degraded) ? { kind: "degraded" } : { kind: "healthy" };
  }
}

function isIn(ranges: readonly StatusRange[], status: number): boolean {
  return ranges.some(({ start, end }) => status >= start && status < end);
}
