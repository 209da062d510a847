import assert from "node:assert/strict";
import { test } from "node:test";
import { lineAt } from "../line-tree.ts";
import { readDocuments } from "./documents.ts";

function problemsOf(text: string): string[] {
  return readDocuments(text).flatMap((document) =>
    document.problems.map((problem) => `${problem.code}:${problem.line}`),
  );
}

test("documents keep the line of every key and entry", () => {
  const [first, second] = readDocuments("a: 1\nb:\n  - x\n  - y: [1,\n      2]\n---\n\nc: 3\n");
  assert.ok(first !== undefined && second !== undefined);
  assert.deepEqual(first.value, { a: 1, b: ["x", { y: [1, 2] }] });
  assert.equal(lineAt(first.lines, ["b"]), 2);
  assert.equal(lineAt(first.lines, ["b", 1, "y", 1]), 5);
  assert.equal(lineAt(first.lines, ["b", 7, "nowhere"]), 2);
  assert.equal(second.line, 8);
});

test("empty documents and comments are no documents", () => {
  assert.deepEqual(readDocuments("---\n# nothing\n---\n---\n"), []);
  assert.deepEqual(readDocuments(""), []);
});

test("anchors, aliases and merge keys are unfolded and keep the lines of their text", () => {
  const [document] = readDocuments("x: &base { k: 1, j: 2 }\ny:\n  <<: *base\n  k: 3\nz: [*base]\n");
  assert.ok(document !== undefined);
  assert.deepEqual(document.value, { x: { k: 1, j: 2 }, y: { k: 3, j: 2 }, z: [{ k: 1, j: 2 }] });
  assert.equal(lineAt(document.lines, ["y", "k"]), 4);
  assert.equal(lineAt(document.lines, ["y", "j"]), 1);
});

test("a key named __proto__ is a key like any other", () => {
  const [document] = readDocuments("__proto__: { polluted: true }\n");
  assert.deepEqual(Object.keys(document?.value as object), ["__proto__"]);
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
});

test("keys that look like numbers are text, so the same key in quotes is a duplicate", () => {
  assert.deepEqual(problemsOf("8080: a\n'8080': b\n"), ["HDL0002:2"]);
});

const broken: readonly [string, string, string][] = [
  ["a tab for indentation", "a:\n\t- x\n", "HDL0001:2"],
  ["a quote that is never closed", "a: 'x\nb: 2\n", "HDL0001:3"],
  ["indentation that fits nowhere", "a:\n  b: 1\n   c: 2\n", "HDL0001:2"],
  ["a bracket that is never closed", "a: [1, 2\n", "HDL0001:1"],
  ["a tag", "a: !Secret x\n", "HDL0001:1"],
  ["an alias without an anchor", "a: 1\nb: *missing\n", "HDL0001:2"],
  ["a key that is a list", "? [1]\n: 2\n", "HDL0001:1"],
  ["a merge of something that is no mapping", "a: &x 1\nb:\n  <<: *x\n", "HDL0001:3"],
  ["a key written twice", "a: 1\nb: 2\na: 3\n", "HDL0002:3"],
  ["an unquoted yes", "a: yes\n", "HDL0035:1"],
];

for (const [what, text, expected] of broken) {
  test(`${what} is found with its line`, () => {
    assert.deepEqual(problemsOf(text), [expected]);
  });
}

test("a duplicate key says where the first one stands", () => {
  const [document] = readDocuments("a: 1\n\na: 3\n");
  assert.match(document?.problems[0]?.message ?? "", /"a" is written twice; it stands on line 1 already/);
});

test("aliases inside themselves, alias bombs and endless nesting end in a finding", () => {
  const bomb = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
  for (let level = 0; level < 8; level += 1) {
    const [before, now] = [String.fromCodePoint(97 + level), String.fromCodePoint(98 + level)];
    bomb.push(
      `${now}: &${now} [*${before}, *${before}, *${before}, *${before}, *${before}, *${before}, *${before}, *${before}]`,
    );
  }
  const endless = ["a: &x [*x]\n", "a: &x { <<: *x }\n", "a: &x [*x, *x]\nb: { <<: *x }\n", "a: &x { <<: [*x, *x] }\n"];
  for (const text of [...endless, `${bomb.join("\n")}\n`, "[".repeat(30_000), "a: {".repeat(3_000)]) {
    const codes = problemsOf(text);
    assert.ok(
      codes.length > 0 && codes.every((code) => code.startsWith("HDL0007") || code.startsWith("HDL0001")),
      text.slice(0, 40),
    );
  }
});

test("nesting that ends the parser's stack is said to be too deep", () => {
  const [document] = readDocuments("[".repeat(30_000));
  assert.deepEqual(document?.problems[0], {
    code: "HDL0007",
    line: 1,
    message: "The document is nested too deeply to be read.",
  });
});

test("whatever the library throws becomes a problem", () => {
  assert.deepEqual(
    readDocuments({ length: 1 } as unknown as string)[0]?.problems.map((problem) => problem.code),
    ["HDL0007"],
  );
});

test("several merged blocks: the first wins, and the keys beside them win over all", () => {
  const [document] = readDocuments("a: &a { k: 1, l: 1 }\nb: &b { k: 2, m: 2 }\nc: { <<: [*a, *b], l: 3 }\n");
  assert.deepEqual(document?.value, { a: { k: 1, l: 1 }, b: { k: 2, m: 2 }, c: { k: 1, l: 3, m: 2 } });
});

test("a bracket that is never closed is told where it was opened", () => {
  const cases: readonly [string, number, string][] = [
    ["a: 1\nhosts: [x\nhttp:\n  - y\n", 2, "["],
    ["spec:\n  hosts: [x\n  http:\n    - route: 1\n", 2, "["],
    ["a: { b: 1,\n  c: [1, 2]\nd: 2\n", 1, "{"],
    ["a: { b: [1, 2 }\nd: 2\n", 1, "["],
    ["one: 1\n---\ntwo: [\n", 3, "["],
  ];
  for (const [text, line, bracket] of cases) {
    const problems = readDocuments(text).flatMap((document) => document.problems);
    assert.equal(problems.length, 1, text);
    assert.deepEqual(
      [problems[0]?.line, problems[0]?.message],
      [line, `A "${bracket}" is opened here and never closed.`],
    );
  }
  assert.deepEqual(problemsOf('a: [1, { b: [2] }]\nc: "["\n'), []);
});
