const kept = 4000;

interface Line {
  readonly number: number;
  readonly text: string;
}

interface Waiter {
  readonly source: string;
  readonly matches: (line: string) => boolean;
  readonly found: (line: string) => void;
}

/** The last lines that each process has written, for checks that look for something in a log. */
export class LineLog {
  readonly #lines = new Map<string, Line[]>();
  readonly #waiters = new Set<Waiter>();
  #written = 0;

  /** Number of lines so far: what comes from now on is found by `find` with this as `since`. */
  get written(): number {
    return this.#written;
  }

  write(source: string, line: string): void {
    let lines = this.#lines.get(source);
    if (lines === undefined) this.#lines.set(source, (lines = []));
    lines.push({ number: this.#written++, text: line });
    if (lines.length > kept * 2) lines.splice(0, kept);
    for (const waiter of this.#waiters) {
      if (waiter.source !== source || !waiter.matches(line)) continue;
      this.#waiters.delete(waiter);
      waiter.found(line);
    }
  }

  /** A line of a process that has come since, or comes within `limitMs`; undefined when none does. */
  find(
    source: string,
    matches: (line: string) => boolean,
    limitMs: number,
    since: number = 0,
  ): Promise<string | undefined> {
    const known = this.#lines.get(source)?.findLast(({ number, text }) => number >= since && matches(text));
    if (known !== undefined) return Promise.resolve(known.text);
    return new Promise((resolve) => {
      const waiter: Waiter = {
        source,
        matches,
        found: (line) => {
          clearTimeout(timer);
          resolve(line);
        },
      };
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        resolve(undefined);
      }, limitMs);
      this.#waiters.add(waiter);
    });
  }
}
