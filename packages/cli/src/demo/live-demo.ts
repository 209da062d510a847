import { setTimeout as delay } from "node:timers/promises";
import { formatTable } from "../output/table.ts";
import { exitCodes } from "@heddle/core";
import type { OutputStream, Paint } from "../output/terminal.ts";
import type { MeshOutput } from "../up/mesh-output.ts";
import { LiveArea } from "./live-area.ts";
import type { RunningDemo } from "./running-demo.ts";
import type { ServiceFigures } from "./service-figures.ts";
import { customerRequest } from "./shop-requests.ts";
import { TrafficWindow } from "./traffic-window.ts";

const requestsPerSecond = 50;
const redrawMs = 1000;
/** Where nothing can be drawn over, fewer tables are more. */
const printMs = 5000;

/** Customers come to the shop and a table shows how it goes, until the demo is closed. */
export async function showTraffic(
  demo: RunningDemo,
  folder: string,
  readySeconds: number,
  output: MeshOutput,
): Promise<number> {
  const stream: OutputStream = process.stdout;
  const { paint } = output;
  output.notice(
    `\n${paint(["green", "bold"], `The bookshop is open after ${readySeconds} s:`)} ${paint("bold", `http://${demo.address}/`)}\n`,
  );
  output.notice(`Edit ${folder}/mesh/reviews.yaml, say the weights, and watch what the change does.\n`);
  output.notice(
    paint(
      "dim",
      "books fails half of the additions on purpose; the retries of mesh/books.yaml hide most of that from web.\n",
    ),
  );
  // The outcomes are in the proxies' metrics.
  demo.startLoad(requestsPerSecond, customerRequest, () => undefined);
  const window = new TrafficWindow(demo.runner);
  const isTerminal = stream.isTTY === true;
  const table = isTerminal ? new LiveArea(stream, output) : undefined;
  for (;;) {
    const figures = await window.look();
    // A mesh that stops shows failures that nobody had.
    if (demo.closed.aborted) return exitCodes.fine;
    if (figures.length > 0) {
      const text = formatFigures(figures, paint);
      if (table === undefined) stream.write(`${text}\n`);
      else table.draw(text);
    }
    const pauseMs = isTerminal || figures.length === 0 ? redrawMs : printMs;
    await delay(pauseMs, undefined, { signal: demo.closed }).catch(() => undefined);
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
