import { medianOf, ratioTo } from "./report.ts";
import type { ScenarioResult } from "./report.ts";
import type { Measurement } from "./scenarios.ts";

/** A promise about medians: Heddle's figure divided by the peer's, or without a peer the figure itself. */
export interface Bar {
  readonly scenario: string;
  readonly peer?: string;
  /** The scenario's headline if absent. */
  readonly of?: keyof Measurement;
  readonly atMost: number;
}

/** What the issues demand of the scenarios that are there. "At least r times Envoy's work per CPU second" is at most 1/r of its CPU per work. */
const bars: readonly Bar[] = [
  { scenario: "http1-64", peer: "nginx", atMost: 2 },
  { scenario: "http1-64", peer: "envoy", atMost: 0.6 },
  { scenario: "http1-64", peer: "haproxy", atMost: 1.5 },
  // Of Envoy's two ways the better one counts, so both bars must hold.
  ...["envoy", "envoy-http2"].flatMap((peer): Bar[] => [
    { scenario: "mesh-64", peer, atMost: 0.4 },
    { scenario: "mesh-8", peer, atMost: 0.6 },
    { scenario: "mesh-1", peer, atMost: 1 },
    { scenario: "rate-1000-mesh", of: "p50Ms", peer, atMost: 1 },
    { scenario: "rate-1000-mesh", of: "p99Ms", peer, atMost: 1 },
  ]),
  { scenario: "http2-8x16", peer: "envoy", atMost: 0.6 },
  { scenario: "grpc-8x16", peer: "envoy", atMost: 0.6 },
  { scenario: "grpc-stream-1", peer: "envoy", atMost: 1 / 1.3 },
  { scenario: "grpc-stream-16", peer: "envoy", atMost: 1 / 1.3 },
  ...["tcp-1", "tcp-32", "tls-relay-1", "tls-relay-32"].map((scenario) => ({ scenario, peer: "envoy", atMost: 1 })),
  { scenario: "handshakes-full", peer: "envoy", atMost: 1 / 0.8 },
  { scenario: "handshakes-resume", peer: "envoy", atMost: 1 / 0.8 },
  // PSS: of a supervisor and its proxy, RSS counts the program that they share twice.
  { scenario: "services-1000", of: "pssMb", peer: "envoy", atMost: 1 },
  { scenario: "idle", of: "pssMb", atMost: 90 },
  { scenario: "start", of: "readyMs", atMost: 300 },
];

export interface Verdict {
  readonly text: string;
  /** undefined: the peer or the scenario was not measured, so nobody knows. */
  readonly holds: boolean | undefined;
}

/** One verdict for each bar whose scenario was run. */
export function judgeBars(results: readonly ScenarioResult[], wanted: readonly Bar[] = bars): Verdict[] {
  return wanted.flatMap(({ scenario, peer, of, atMost }): Verdict[] => {
    const result = results.find((one) => one.scenario.name === scenario);
    if (result === undefined) return [];
    const figure = peer === undefined ? medianOf(result, "heddle", of) : ratioTo(result, peer, of);
    const limit = Number(atMost.toFixed(2));
    const bar = `${scenario}${of === undefined ? "" : ` ${of}`}: at most ${limit}${peer === undefined ? "" : ` × ${peer}`}`;
    if (figure === undefined)
      return [{ text: `? ${bar}: NOT JUDGED, ${peer ?? "heddle"} was not measured`, holds: undefined }];
    const holds = figure <= atMost;
    return [{ text: `${holds ? "√" : "×"} ${bar}: ${figure.toFixed(2)}`, holds }];
  });
}
