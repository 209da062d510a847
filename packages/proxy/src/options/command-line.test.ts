import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCommandLine, parseRestart } from "./command-line.ts";

const refused: [argv: string[], problem: RegExp][] = [
  [[], /no bootstrap/],
  [["-c", "a", "--config-yaml", "{}"], /exclude each other/],
  [["-c", "a", "--frobnicate"], /Unknown option '--frobnicate'/],
  [["-c", "a", "stray"], /positional/],
  [["-c", "a", "--mode", "sing"], /"serve" or "validate"/],
  [["-c", "a", "--log-level", "loud"], /unknown level "loud"/],
  [["-c", "a", "--concurrency", "0"], /1 to 128/],
  [["-c", "a", "--drain-time-s", "1.5"], /whole number/],
  [["-c", "a", "--accept-time-s", "0.5"], /whole number/],
  [["-c", "a", "--accept-time-s", "6"], /part of --drain-time-s/],
  [["-c", "a", "--parent-shutdown-time-s", "-1"], /argument|whole number/],
  [["-c", "a", "--start-time-s", "0"], /at least 1/],
  [["-c", "a", "--ca-token-file", "t"], /--ca-token-file needs --ca-address/],
  [["-c", "a", "--ca-address", "nowhere", "--ca-trust-bundle", "b"], /host:port/],
  [["-c", "a", "--ca-address", "h:1"], /needs --ca-trust-bundle/],
];
for (const [argv, problem] of refused) {
  test(`the command line "${argv.join(" ")}" is refused with a reason`, () => {
    assert.match(parseCommandLine(argv).problem ?? "", problem);
  });
}

test("a command line with every flag is understood", () => {
  const parsed = parseCommandLine(
    "-c e.yaml --state-dir s --ca-address 127.0.0.1:1 --ca-token-file t --ca-trust-bundle b --identity spiffe://x/ns/a/sa/b --concurrency 2 -l warning --drain-time-s 3 --accept-time-s 2 --parent-shutdown-time-s 4 --start-time-s 5 --tls-key-log k --service-node n --service-cluster c --mode validate".split(
      " ",
    ),
  );
  assert.deepEqual(parsed.options, {
    configPath: "e.yaml",
    configYaml: undefined,
    stateDir: "s",
    ca: { address: "127.0.0.1:1", tokenFile: "t", trustBundleFile: "b", identity: "spiffe://x/ns/a/sa/b" },
    mode: "validate",
    concurrency: 2,
    logLevel: "warn",
    drainTimeMs: 3000,
    acceptTimeMs: 2000,
    handOverTimeMs: 4000,
    startTimeMs: 5000,
    tlsKeyLogFile: "k",
    serviceNode: "n",
    serviceCluster: "c",
  });
});

test("--restart takes the state directory and nothing else", () => {
  assert.deepEqual(parseRestart(["--restart", "--state-dir", "d"]), { stateDir: "d" });
  for (const [argv, problem] of [
    [["--restart"], /needs --state-dir/],
    [["--restart", "--state-dir", "d", "-c", "a"], /nothing else/],
  ] as const) {
    const parsed = parseRestart(argv);
    assert.match(parsed.stateDir === undefined ? parsed.problem : "", problem);
  }
});
