// Runs inside the process of one test file and writes what happened, a JSON record a line, for test-file.ts to read.
import { inspect, styleText } from "node:util";
import type { TestEvent } from "node:test/reporters";

/** `title` joins the names of suites and tests with " › ". The last record is `end`: without it the process was cut short. */
export type TestRecord =
  | { kind: "passed"; title: string }
  | { kind: "skipped"; title: string; reason: string }
  | { kind: "failed"; title: string; line: number; error: string }
  | { kind: "end" };

// The runner asks, before it kills a process that does not end by itself, what keeps it alive.
process.on("SIGUSR2", () => {
  const resources = [...new Set(process.getActiveResourcesInfo())].join(", ");
  process.stderr.write(`${styleText("red", "still open:")} ${resources}\n`);
});

export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const names: string[] = [];
  for await (const event of events) {
    const record = recordOf(event, names);
    if (record !== undefined) yield `${JSON.stringify(record)}\n`;
  }
  yield `${JSON.stringify({ kind: "end" } satisfies TestRecord)}\n`;
}

/** @param names the open tests, outermost first; a `test:start` comes before those of its subtests */
function recordOf(event: TestEvent, names: string[]): TestRecord | undefined {
  if (event.type === "test:start") {
    names.length = event.data.nesting;
    names.push(event.data.name);
    return undefined;
  }
  if (event.type !== "test:pass" && event.type !== "test:fail") return undefined;

  const { data } = event;
  const title = [...names.slice(0, data.nesting), data.name].join(" › ");
  if (data.skip !== undefined && data.skip !== false) return { kind: "skipped", title, reason: reasonOf(data.skip) };
  if (data.todo !== undefined && data.todo !== false) {
    return { kind: "skipped", title, reason: `todo ${reasonOf(data.todo)}` };
  }
  if (event.type === "test:pass") return data.details.type === "suite" ? undefined : { kind: "passed", title };

  const error = event.data.details.error as Error & { failureType?: string };
  // The subtests that failed have records of their own.
  if (error.failureType === "subtestsFailed") return undefined;
  return { kind: "failed", title, line: data.line ?? 0, error: inspect(error.cause ?? error) };
}

function reasonOf(given: string | true): string {
  return given === true ? "without a reason" : given;
}
