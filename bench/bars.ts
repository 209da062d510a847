import { ratioTo } from "./report.ts";
import type { ScenarioResult } from "./report.ts";

/** A promise about a ratio of medians: Heddle's figure divided by the peer's, in the scenario's headline. */
export interface Bar {
  readonly scenario: string;
  readonly peer: string;
  readonly atMost: number;
}

/** What the issues demand of the scenarios that are there. */
const bars: readonly Bar[] = [
  { scenario: "http1-64", peer: "nginx", atMost: 2 },
  { scenario: "http1-64", peer: "envoy", atMost: 0.6 },
  { scenario: "http1-64", peer: "haproxy", atMost: 1.5 },
  // Of Envoy's two ways the better one counts, so both bars must hold.
  ...["envoy", "envoy-http2"].flatMap((peer) => [
    { scenario: "mesh-64", peer, atMost: 0.4 },
    { scenario: "mesh-8", peer, atMost: 0.6 },
    { scenario: "mesh-1", peer, atMost: 1 },
  ]),
  { scenario: "http2-8x16", peer: "envoy", atMost: 0.6 },
];

export interface Verdict {
  readonly text: string;
  /** undefined: the peer or the scenario was not measured, so nobody knows. */
  readonly holds: boolean | undefined;
}

/** One verdict for each bar whose scenario was run. */
export function judgeBars(results: readonly ScenarioResult[], wanted: readonly Bar[] = bars): Verdict[] {
  return wanted.flatMap(({ scenario, peer, atMost }): Verdict[] => {
    const result = results.find((one) => one.scenario.name === scenario);
    if (result === undefined) return [];
    const bar = `${scenario}: at most ${atMost} × ${peer}`;
    const ratio = ratioTo(result, peer);
    if (ratio === undefined) return [{ text: `? ${bar}: NOT JUDGED, ${peer} was not measured`, holds: undefined }];
    const holds = ratio <= atMost;
    return [{ text: `${holds ? "√" : "×"} ${bar}: ${ratio.toFixed(2)}`, holds }];
  });
}
