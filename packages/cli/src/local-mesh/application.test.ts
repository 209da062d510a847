import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import type { ApplicationPlace } from "./application.ts";
import { Application } from "./application.ts";
import type { PlannedInstance } from "./plan.ts";
import { ApplicationPorts } from "./ports.ts";
import { probeApplication } from "./shared-address.ts";

interface Observed {
  readonly folder: string;
  readonly application: Application;
  readonly reports: string[];
  readonly lines: string[];
  /** Lines and reports that are for the log file only. */
  readonly repetitions: string[];
  readonly line: (text: string) => Promise<void>;
  readonly next: (isReady: boolean) => Promise<void>;
  readonly report: (pattern: RegExp) => Promise<string>;
}

async function start(context: TestContext, script: string, planned: Partial<PlannedInstance> = {}): Promise<Observed> {
  const folder = temporaryFolder(context, { "app.cjs": script });
  const port = await (await ApplicationPorts.open()).take("127.0.0.1");
  const place: ApplicationPlace = {
    ports: { appPort: port },
    urlOf: () => "http://127.0.0.1:4711",
    applicationCommand: (command) => command,
    probe: (path) => probeApplication(port, path),
  };
  const reports: string[] = [];
  const lines: string[] = [];
  const repetitions: string[] = [];
  const wakes = new Set<() => void>();
  const wake = (): void => wakes.forEach((each) => each());
  const states: boolean[] = [];
  const until = async (isTrue: () => boolean): Promise<void> => {
    while (!isTrue()) {
      await new Promise<void>((resolve) => {
        const once = (): void => {
          wakes.delete(once);
          resolve();
        };
        wakes.add(once);
      });
    }
  };
  const application = new Application({
    instance: {
      id: "api-0",
      workload: "api",
      service: "api",
      namespace: "default",
      serviceAccount: "api",
      version: "v3",
      labels: {},
      protocol: "http",
      servicePort: 80,
      command: [process.execPath, "app.cjs"],
      workingDir: undefined,
      env: { GREETING: "hello" },
      calls: [{ name: "store", namespace: "data", scheme: "http", port: 80 }],
      readiness: { path: "/healthz", timeout: "30s" },
      place: "mesh.yaml:7",
      ...planned,
    },
    folder,
    place,
    output: (_source, line, _stream, isRepetition) => {
      (isRepetition === true ? repetitions : lines).push(line);
      wake();
    },
    report: (line, isRepetition) => {
      (isRepetition === true ? repetitions : reports).push(line);
      wake();
    },
    onReady: (isReady) => {
      states.push(isReady);
      wake();
    },
  });
  context.after(() => application.stop(100));
  application.start();
  return {
    folder,
    application,
    reports,
    lines,
    repetitions,
    line: (text) => until(() => lines.includes(text)),
    next: (isReady) => until(() => application.isReady === isReady && states.at(-1) === isReady),
    report: async (pattern) => {
      await until(() => reports.some((line) => pattern.test(line)));
      return reports.find((line) => pattern.test(line)) ?? "";
    },
  };
}

const server = (answer: string): string =>
  `require("node:http").createServer((request, response) => { ${answer} }).listen(process.env.PORT, "127.0.0.1");`;

test("it is ready when its probe says so, and no longer when it is killed", { timeout: 30_000 }, async (context) => {
  const { application, next } = await start(
    context,
    server("response.writeHead(request.url === '/healthz' ? 204 : 500).end()"),
  );
  await next(true);
  await application.killAndHold();
  assert.equal(application.isReady, false);
  application.release();
  await next(true);
});

test("without a probe it is ready when its port takes connections, and is asked nothing", {
  timeout: 30_000,
}, async (context) => {
  const { next, lines } = await start(context, server("console.log('asked'); response.end()"), {
    readiness: undefined,
  });
  await next(true);
  assert.deepEqual(lines, []);
});

test("its environment holds PORT, HOSTNAME, VERSION, its own variables, and one URL for each service", {
  timeout: 30_000,
}, async (context) => {
  const script = `console.log([process.env.HOSTNAME, process.env.VERSION, process.env.GREETING, process.env.STORE_DATA_URL].join(" ")); ${server("response.end()")}`;
  const { next, lines } = await start(context, script);
  await next(true);
  assert.equal(lines[0], "api-0 v3 hello http://127.0.0.1:4711");
});

test("an application that is late is named with the port that it must listen on and its place in the file", {
  timeout: 30_000,
}, async (context) => {
  const { report } = await start(context, "setInterval(() => {}, 1000)", { readiness: { path: "/", timeout: "0.2s" } });
  assert.match(
    await report(/not ready/),
    /^not ready after 0\.2 s: .* must listen on 127\.0\.0\.1:\$PORT \(\d+ now\); declared at mesh\.yaml:7$/,
  );
});

test("a command that is not found is named with workload and place", { timeout: 30_000 }, async (context) => {
  const { report } = await start(context, "", { command: ["no-such-program"] });
  assert.match(await report(/not found/), /"no-such-program" of the workload api \(mesh\.yaml:7\) was not found/);
});

test("an application that ends again and again gets its verdict, with its last words", async (context) => {
  const { report } = await start(context, 'console.log("no database");process.exit(3)');
  assert.equal(
    await report(/is not ready/),
    "the workload api (mesh.yaml:7) is not ready: it ended 4 times before it was, the last time with exit code 3; its last words: no database; it is started again and again, later each time; until it is ready, its log file alone says more",
  );
});

test("after its verdict an application writes for its log file only, until it is ready", {
  timeout: 30_000,
}, async (context) => {
  const script = `const { existsSync } = require("node:fs");
console.log("begins");
if (!existsSync("database")) process.exit(3);
${server("console.log('asked'); response.end()")}`;
  const { folder, report, line, lines, repetitions, reports } = await start(context, script, {
    readiness: { path: "/", timeout: "30s" },
  });
  await report(/is not ready/);
  writeFileSync(join(folder, "database"), "");
  await report(/^ready after \d+ starts in vain/);
  assert.equal(lines.filter((text) => text === "begins").length, 4);
  assert.ok(repetitions.includes("begins"), repetitions.join());
  assert.equal(reports.filter((text) => text.startsWith("the application ended")).length, 4);
  await line("asked");
});
