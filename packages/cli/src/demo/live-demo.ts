import { setTimeout as delay } from "node:timers/promises";
import { formatTable } from "../output/table.ts";
import type { OutputStream, Paint } from "../output/terminal.ts";
import type { MeshOutput } from "../up/mesh-output.ts";
import { startLoad } from "./load.ts";
import type { RunningDemo } from "./running-demo.ts";
import type { ServiceFigures } from "./service-figures.ts";
import { customerRequest } from "./shop-requests.ts";
import { TrafficWindow } from "./traffic-window.ts";

export interface LiveDemoOptions {
  readonly folder: string;
  /** host:port of the edge. */
  readonly address: string;
  readonly readySeconds: number;
  readonly output: MeshOutput;
}

const requestsPerSecond = 50;
const redrawMs = 1000;
/** Where nothing can be drawn over, fewer tables are more. */
const printMs = 5000;

/** Customers come to the shop and a table shows how it goes, until the session is ended. */
export async function showTraffic(
  demo: RunningDemo,
  { folder, address, readySeconds, output }: LiveDemoOptions,
): Promise<never> {
  const stream: OutputStream = process.stdout;
  const { paint } = output;
  output.notice(
    `\n${paint(["green", "bold"], `The bookshop is open after ${readySeconds} s:`)} ${paint("bold", `http://${address}/`)}\n`,
  );
  output.notice(`Edit ${folder}/mesh/reviews.yaml, say the weights, and watch what the change does.\n`);
  // The outcomes are in the proxies' metrics.
  startLoad(demo.client, requestsPerSecond, customerRequest, () => undefined);
  const window = new TrafficWindow(demo.runner);
  const isTerminal = stream.isTTY === true;
  const table = isTerminal ? new LiveArea(stream, output) : undefined;
  for (;;) {
    const figures = await window.look();
    if (figures.length > 0) {
      const text = formatFigures(figures, paint);
      if (table === undefined) stream.write(`${text}\n`);
      else table.draw(text);
    }
    await delay(isTerminal ? redrawMs : figures.length === 0 ? redrawMs : printMs);
  }
}

/** The last lines of a terminal, drawn over in place; what else is printed goes above them. */
class LiveArea {
  readonly #stream: OutputStream;
  #lines = 0;

  constructor(stream: OutputStream, output: MeshOutput) {
    this.#stream = stream;
    output.onBeforeWrite = () => this.#clear();
  }

  draw(text: string): void {
    this.#clear();
    this.#stream.write(text);
    this.#lines = text.split("\n").length - 1;
  }

  #clear(): void {
    // Up so many lines, to the first column, and all below away (ECMA-48 CPL, ED).
    if (this.#lines > 0) this.#stream.write(`\u001b[${this.#lines}F\u001b[J`);
    this.#lines = 0;
  }
}

function formatFigures(figures: readonly ServiceFigures[], paint: Paint): string {
  return formatTable(figures, [
    { title: "service", text: ({ service }) => service },
    { title: "success", align: "right", text: ({ successRate }) => formatRate(successRate, paint) },
    { title: "rps", align: "right", text: ({ requestsPerSecond: rate }) => rate.toFixed(1) },
    { title: "p50 ms", align: "right", text: ({ p50Ms }) => formatMs(p50Ms) },
    { title: "p95 ms", align: "right", text: ({ p95Ms }) => formatMs(p95Ms) },
    { title: "p99 ms", align: "right", text: ({ p99Ms }) => formatMs(p99Ms) },
  ]);
}

function formatRate(rate: number, paint: Paint): string {
  if (Number.isNaN(rate)) return "–";
  return paint(rate >= 0.99 ? "green" : rate >= 0.9 ? "yellow" : "red", `${(rate * 100).toFixed(1)} %`);
}

function formatMs(ms: number): string {
  return Number.isNaN(ms) ? "–" : ms.toFixed(1);
}
