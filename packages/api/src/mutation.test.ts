import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseAccepted, serializeAccepted } from "./accepted-codec.ts";
import { acceptResources, isSameContent } from "./accepted-set.ts";
import { findingCodes } from "./finding-codes.ts";
import type { ParsedFile } from "./parse-file.ts";
import { parseFile } from "./parse-file.ts";
import { fullResources } from "./testing/full-resources.ts";

const options = { rootNamespace: "istio-system", trustDomain: "cluster.local" };
const whole = fullResources.join("---\n");
const lines = whole.split("\n").length;

/** What breaks parsers: YAML's own marks, wrong types, words of other fields, names of every object. */
const snippets = [
  ..."\t:-?*&!|>'\"[]{}#,%@`\\~=<".split(""),
  "\n",
  "\r\n",
  "\n---\n",
  "\n...\n",
  "- ",
  ": ",
  "<<: *a",
  "&a ",
  "*a",
  "!!binary ",
  "!x ",
  "null",
  "true",
  "yes",
  "1e999",
  ".nan",
  "-0",
  "0x1F",
  "2026-01-01",
  "__proto__",
  "constructor",
  "http",
  "spec",
  "selector",
  "matchLabels",
  "rules",
  "kind: AuthorizationPolicy",
  "namespace: a",
  "(?=a)",
  "\u0000",
  "\u2028",
  "\ud800",
  "😀",
  "﻿",
];

const edit = fc.record({
  at: fc.nat(whole.length),
  remove: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(200)),
  insert: fc.oneof(fc.constant(""), fc.constantFrom(...snippets), fc.string({ maxLength: 8 })),
});

const mutated = fc
  .array(edit, { minLength: 1, maxLength: 6 })
  .map((edits) =>
    edits.reduce((text, { at, remove, insert }) => text.slice(0, at) + insert + text.slice(at + remove), whole),
  );

/** The seed is printed by fast-check when it finds a counterexample; FC_SEED replays it. */
const seed = process.env["FC_SEED"];
const runs = { numRuns: 300, ...(seed === undefined ? {} : { seed: Number(seed) }) };

function judge(previous: readonly ParsedFile[], text: string) {
  const before = acceptResources([], previous, options).accepted;
  const now = parseFile(text, "mesh.yaml");
  return { before, now, acceptance: acceptResources(before, [now], options) };
}

test("what nobody has edited is without findings", () => {
  const { now, acceptance } = judge([], whole);
  assert.deepEqual(
    now.findings.map((finding) => finding.message),
    [],
  );
  assert.equal(acceptance.accepted.length, fullResources.length);
});

test("random edits never throw, and every finding has code, severity, text, hint and a line of the file", () => {
  fc.assert(
    fc.property(mutated, (text) => {
      const { findings } = parseFile(text, "mesh.yaml");
      for (const finding of findings) {
        assert.equal(finding.severity, findingCodes[finding.code].severity);
        assert.ok(finding.message.length > 10 && finding.hint.length > 5);
        assert.ok((finding.line ?? 0) >= 1 && (finding.line ?? 0) <= lines + 64, `line ${finding.line}`);
      }
    }),
    runs,
  );
});

test("random edits: every document is a resource or has an error, never neither", () => {
  fc.assert(
    fc.property(mutated, (text) => {
      const { resources, findings, broken } = parseFile(text, "mesh.yaml");
      const hasError = findings.some((finding) => finding.severity === "error");
      assert.equal(hasError, broken.length > 0);
      assert.ok(resources.length + broken.length > 0 || text.trim() === "" || findings.length === 0);
    }),
    runs,
  );
});

test("random edits of an accepted mesh: a policy never vanishes while its file has an error in it", () => {
  const start = parseFile(whole, "mesh.yaml");
  fc.assert(
    fc.property(mutated, (text) => {
      const { now, acceptance } = judge([start], text);
      const isBroken = now.broken.some((document) => document.security !== undefined || !document.isReadable);
      if (!isBroken) return;
      const holds =
        acceptance.broken.length > 0 ||
        acceptance.accepted.some((each) => each.kind === "AuthorizationPolicy" || each.kind === "PeerAuthentication");
      assert.ok(holds);
    }),
    runs,
  );
});

test("random edits: what is accepted survives the way to JSON and back", () => {
  fc.assert(
    fc.property(mutated, (text) => {
      const { acceptance } = judge([], text);
      const restored = parseAccepted(serializeAccepted(acceptance.accepted));
      assert.deepEqual(restored?.dropped, []);
      restored.resources.forEach((resource, index) => {
        const original = acceptance.accepted[index];
        assert.ok(original !== undefined && isSameContent(resource, original));
      });
    }),
    runs,
  );
});

test("accepting is stable: the same files a second time change nothing", () => {
  const start = parseFile(whole, "mesh.yaml");
  fc.assert(
    fc.property(mutated, (text) => {
      const { now, acceptance } = judge([start], text);
      const again = acceptResources(acceptance.accepted, [now], options);
      assert.deepEqual(again.accepted, acceptance.accepted);
    }),
    runs,
  );
});
