import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { runTestFile } from "./test-file.ts";
import type { TestFileOptions } from "./test-file.ts";

const folder = mkdtempSync(join(tmpdir(), "heddle-runner-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

function run(source: string, options: Partial<TestFileOptions> = {}): ReturnType<typeof runTestFile> {
  const file = join(folder, `planted-${files++}.test.ts`);
  writeFileSync(file, `import { describe, it, test } from "node:test";\n${source}\n`);
  return runTestFile(file, { limitMs: 30_000, graceMs: 1_000, ...options });
}

test("tests, subtests and skips are counted, with titles that name their suites", async () => {
  const result = await run(`
    test("one", () => {});
    test("two", async (t) => { await t.test("inner", () => {}); });
    describe("suite", () => { it("passes", () => {}); it("is skipped", { skip: "no wrk" }, () => {}); });
    test("later", { todo: true }, () => {});
  `);
  assert.equal(result.passed, 4);
  assert.deepEqual(result.failures, []);
  assert.deepEqual(
    result.skips.map(({ title, reason }) => `${title}: ${reason}`),
    ["suite › is skipped: no wrk", "later: todo without a reason"],
  );
});

test("a failed test is reported once, with its line, its cause and what the file wrote", async () => {
  const result = await run(
    'describe("suite", () => {\n it("breaks", () => { console.log("seed 7"); throw new Error("boom"); });\n});',
  );
  assert.equal(result.failures.length, 1);
  const [failure] = result.failures;
  assert.equal(failure?.title, "suite › breaks");
  assert.equal(failure?.line, 3);
  assert.match(failure?.error ?? "", /^Error: boom/);
  assert.equal(result.output, "seed 7\n");
});

const broken: [what: string, source: string, error: RegExp][] = [
  ["that cannot be loaded", 'throw new Error("at load");', /ended with code 1/],
  ["that holds no test", "", /or holds none/],
  ["that ends in the middle of a test", 'test("cut short", () => process.exit(0));', /ended before all its tests had/],
  [
    "whose hook throws",
    'import { after } from "node:test"; after(() => { throw new Error("x"); }); test("a", () => {});',
    /x|code 1/,
  ],
];
for (const [what, source, error] of broken) {
  test(`a file ${what} has failed`, async () => {
    const { failures } = await run(source);
    assert.match(failures.map((failure) => failure.error).join("\n"), error);
  });
}

test("a file that leaves a server open is ended at its limit, and says what is open", async () => {
  const source = 'import { createServer } from "node:net"; test("leaks", () => { createServer().listen(0); });';
  const { passed, failures, output } = await run(source, { limitMs: 3_000 });
  assert.equal(passed, 1);
  assert.match(failures[0]?.error ?? "", /did not end within 3 s/);
  assert.match(output, /still open: .*TCPServerWrap/);
});

test("a process that a test leaves behind fails its file and is ended", {
  skip: process.platform !== "linux",
}, async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const connected = once(server, "connection");
  const child = `require("node:net").connect(${port}, "127.0.0.1").resume(); setInterval(() => {}, 1000)`;
  const { failures } = await run(`
    import { spawn } from "node:child_process";
    test("forgets its child", () => spawn(process.execPath, ["-e", ${JSON.stringify(child)}], { stdio: "ignore" }).unref());
  `);
  assert.match(failures[0]?.error ?? "", /left processes behind: \d+ .*setInterval/);
  const [socket] = await connected;
  socket.on("error", () => {}); // a killed peer may reset
  if (!socket.closed) await once(socket.resume(), "close");
});
