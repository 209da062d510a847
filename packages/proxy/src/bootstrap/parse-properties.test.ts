import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import { typeRegistry } from "@heddle/xds/api";
import { BootstrapSchema } from "@heddle/xds/api/bootstrap";
import * as fc from "fast-check";
import { stringify } from "yaml";
import { bootstrap, cluster, http2Cluster, httpListener, route, tcpListener } from "../testing/bootstrap-json.ts";
import type { ParsedBootstrap } from "./bootstrap.ts";
import { parseBootstrap } from "./parse.ts";
import { readBootstrap } from "./read.ts";
import { readCanonicalJson } from "./source.ts";

const timeout = fc.integer({ min: 0, max: 3600 }).map((seconds) => `${seconds}s`);
const port = fc.integer({ min: 1, max: 65_535 });
const accepted = fc
  .record({
    port,
    timeout,
    prefix: fc.string().map((text) => `/${text}`),
    isHttp2: fc.boolean(),
    hasRelay: fc.boolean(),
  })
  .map((chosen) => {
    const web = httpListener({ name: "web", routes: [route(chosen.prefix, "app", { timeout: chosen.timeout })] });
    const listeners = chosen.hasRelay ? [web, tcpListener("relay", "app")] : [web];
    return bootstrap(listeners, [cluster("app", [chosen.port], chosen.isHttp2 ? http2Cluster() : {})]);
  });

/** As Heddle writes a bootstrap: such a text has a reader of its own. */
const canonical = (value: unknown): string => JSON.stringify(value, null, 2);
const loads = { numRuns: 60 };

test("a bootstrap that is accepted is the same when it is written out and read again", () => {
  fc.assert(
    fc.property(accepted, (value) => {
      const first = parseBootstrap(canonical(value));
      assert.deepEqual(first.problems, []);
      const message = fromBinary(BootstrapSchema, first.config!.value);
      assert.deepEqual(
        parseBootstrap(JSON.stringify(toJson(BootstrapSchema, message, { registry: typeRegistry }))),
        first,
      );
    }),
    loads,
  );
});

/** A valid bootstrap of which one value, anywhere, is another. */
const doubtful = fc
  .tuple(accepted, fc.array(fc.nat(), { minLength: 1, maxLength: 8 }), fc.jsonValue({ maxDepth: 2 }))
  .map(([value, turns, other]) => replaced(value, turns, other));

/** @param turns which way to go at each level; past an end, the way back from the beginning */
function replaced(value: unknown, turns: readonly number[], other: unknown): unknown {
  const [turn, ...further] = turns;
  if (turn === undefined || typeof value !== "object" || value === null) return other;
  const keys = Object.keys(value);
  const key = keys[turn % Math.max(1, keys.length)];
  if (key === undefined) return other;
  const inner = replaced((value as Record<string, unknown>)[key], further, other);
  if (Array.isArray(value)) return value.map((item: unknown, index) => (String(index) === key ? inner : item));
  return { ...value, [key]: inner };
}

function assertVerdict({ config, problems }: ParsedBootstrap): void {
  assert.equal(config === undefined, problems.length > 0);
  for (const { message, hint, line } of problems)
    assert.ok(message !== "" && hint !== "" && line >= 0, canonical(problems));
}

test("whatever a bootstrap holds is accepted, or refused in words, and alike by the readers of JSON and of YAML", () => {
  fc.assert(
    fc.property(doubtful, (value) => {
      const text = canonical(value);
      const byYaml = parseBootstrap(text);
      assertVerdict(byYaml);
      const source = readCanonicalJson(text);
      assert.ok(source);
      assert.deepEqual(readBootstrap(source), byYaml);
      const inYaml = parseBootstrap(stringify(value));
      assert.deepEqual(inYaml.config, byYaml.config);
      assert.deepEqual(withoutLines(inYaml), withoutLines(byYaml));
    }),
    loads,
  );
});

function withoutLines({ problems }: ParsedBootstrap): unknown {
  return problems.map(({ path, message, hint }) => ({ path, message, hint }));
}

test("no text makes the reader throw", () => {
  const pieces = fc.constantFrom(
    "{",
    "}",
    "[",
    "]",
    ": ",
    ", ",
    "- ",
    "\n  ",
    "&a ",
    "*a",
    "<<: ",
    '"',
    "|",
    "---\n",
    "node",
    "1e309",
    "\0",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string({ unit: "grapheme" }))), (parts) =>
      assertVerdict(parseBootstrap(parts.join(""))),
    ),
  );
});
