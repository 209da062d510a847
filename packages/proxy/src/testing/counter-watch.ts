import { adminGet } from "./proxy-process.ts";

const everyMs = 50;

/** Reads `/stats/prometheus` again and again, as Prometheus does, and notes each counter that is smaller than it was. */
export class CounterWatch {
  readonly stepsBack: string[] = [];
  reads = 0;
  readonly #adminPort: number;
  readonly #values = new Map<string, number>();
  #isStopped = false;
  readonly #running: Promise<void>;

  constructor(adminPort: number) {
    this.#adminPort = adminPort;
    this.#running = this.#watch();
  }

  /** The value of a series as it was read last. */
  value(series: string): number | undefined {
    return this.#values.get(series);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    await this.#read();
  }

  async #watch(): Promise<void> {
    while (!this.#isStopped) {
      await this.#read();
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }

  async #read(): Promise<void> {
    const text = await adminGet(this.#adminPort, "/stats/prometheus", { headers: { connection: "close" } });
    this.reads += 1;
    const seen = new Map<string, number>();
    let isCounter = false;
    for (const line of text.split("\n")) {
      if (line.startsWith("# TYPE")) isCounter = !line.endsWith(" gauge");
      else if (isCounter && line !== "" && !line.startsWith("#")) {
        const space = line.lastIndexOf(" ");
        seen.set(line.slice(0, space), Number(line.slice(space + 1)));
      }
    }
    for (const [series, before] of this.#values) {
      // A series that nothing was counted in yet need not be there.
      const now = seen.get(series) ?? 0;
      if (now < before) this.stepsBack.push(`${series}: ${before} then ${now}`);
    }
    for (const [series, value] of seen) this.#values.set(series, value);
  }
}
