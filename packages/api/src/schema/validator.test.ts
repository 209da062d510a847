import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlainValue } from "../yaml/plain-value.ts";
import { boolean, decimal, field, formatted, integer, list, map, object, oneOf, text } from "./field-table.ts";
import { duration, headerName } from "./formats.ts";
import { Validator } from "./validator.ts";

interface Inner {
  readonly name: string;
  readonly flag?: boolean;
}

interface Shape {
  readonly words?: readonly string[];
  readonly mode?: string;
  readonly count?: number;
  readonly share?: number;
  readonly limit?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly inner?: readonly Inner[];
  readonly either?: string;
  readonly or?: string;
  readonly note?: string;
}

const table = object<Shape>({
  fields: {
    words: field(list(text(), { minItems: 1, maxItems: 2 }), "Words."),
    mode: field(oneOf(["ON", "OFF"], ["AUTO"]), "Mode."),
    count: field(integer(1, 9), "Count."),
    share: field(decimal(0, 100), "Share."),
    limit: field(formatted(duration), "Limit."),
    headers: field(map(headerName, text(), { hasLowerCaseKeys: true, maxEntries: 2 }), "Headers."),
    inner: field(
      list(
        object<Inner>({
          fields: { name: field(text(), "Name of the thing.", { required: true }), flag: field(boolean, "Flag.") },
        }),
        { uniqueBy: (item: Inner) => item.name },
      ),
      "Inner.",
    ),
    either: field(text(), "Either."),
    or: field(text(), "Or."),
    note: field(text(), "Note.", { nullable: true }),
  },
  notYet: { later: "Use either." },
  exclusive: [["either", "or"]],
});

function judge(value: PlainValue) {
  const validator = new Validator(table, "default");
  const result = validator.validate(value, ["spec"]);
  return { result, problems: validator.problems };
}

function firstProblem(value: PlainValue): string {
  const { problems, result } = judge(value);
  assert.equal(result, undefined);
  assert.equal(problems.length, 1, JSON.stringify(problems));
  const [problem] = problems;
  return `${problem?.code} ${problem?.path.join(".")}: ${problem?.message} ${problem?.hint ?? ""}`.trimEnd();
}

test("a right value comes back whole, names without case in lower case, null as absent where that is allowed", () => {
  const value = {
    words: ["a"],
    mode: "ON",
    count: 9,
    share: 0.5,
    limit: "1s",
    headers: { "X-A": "1" },
    inner: [{ name: "n", flag: false }],
    note: null,
  };
  const { note: _absent, ...rest } = value;
  assert.deepEqual(judge(value), { result: { ...rest, headers: { "x-a": "1" } }, problems: [] });
});

const cases: readonly [string, PlainValue, string][] = [
  [
    "an unknown field with its nearest name",
    { word: ["a"] },
    "HDL0010 spec.word: spec.word is not a field. Did you mean words?",
  ],
  [
    "an unknown field that belongs elsewhere",
    { flag: true },
    "HDL0010 spec.flag: spec.flag is not a field. A field of this name belongs to spec.inner[]; check the indentation.",
  ],
  [
    "a field that is not supported yet",
    { later: {} },
    "HDL0012 spec.later: spec.later is not supported yet. Use either.",
  ],
  [
    "a text where a list belongs",
    { words: "a" },
    'HDL0011 spec.words: spec.words must be a list, but is the text "a". Begin each entry with a dash: `- …`.',
  ],
  [
    "a number where a text belongs",
    { either: 1 },
    'HDL0011 spec.either: spec.either must be text, but is the number 1. Put the value in quotes: "1".',
  ],
  [
    "a number where a duration belongs",
    { limit: 5 },
    "HDL0011 spec.limit: spec.limit must be text, but is the number 5. Write numbers with units, as in 300ms, 1.5s or 1h2m; at least 1ms.",
  ],
  [
    "a quoted number",
    { count: "3" },
    'HDL0011 spec.count: spec.count must be a whole number, but is the text "3". Write the number without quotes: 3.',
  ],
  ["a fraction", { count: 1.5 }, "HDL0011 spec.count: spec.count must be a whole number, but is the number 1.5."],
  ["a number out of bounds", { count: 10 }, "HDL0014 spec.count: spec.count is 10; it must be from 1 to 9."],
  [
    "an empty value",
    { words: null },
    "HDL0011 spec.words: spec.words must be a list, but is empty. Write the value after the colon, indented if it is a block, or remove the field.",
  ],
  ["a word that is none", { mode: "on" }, 'HDL0015 spec.mode: spec.mode: "on" is not one of ON, OFF. Did you mean ON?'],
  [
    "a word that is not supported yet",
    { mode: "AUTO" },
    "HDL0016 spec.mode: spec.mode: the value AUTO is not supported yet. Supported so far: ON, OFF.",
  ],
  ["an empty text", { either: "" }, "HDL0014 spec.either: spec.either is empty. Write a value, or remove the field."],
  ["an empty list", { words: [] }, "HDL0014 spec.words: spec.words is empty. Add an entry, or remove the field."],
  [
    "a list that is too long",
    { words: ["a", "b", "c"] },
    "HDL0014 spec.words: spec.words has 3 entries; at most 2 are allowed.",
  ],
  [
    "a missing field",
    { inner: [{}] },
    "HDL0013 spec.inner.0: spec.inner[0].name is missing. Add name: name of the thing.",
  ],
  [
    "two entries of one name",
    { inner: [{ name: "a" }, { name: "a" }] },
    'HDL0023 spec.inner.1: spec.inner[1]: "a" stands in spec.inner[0] already.',
  ],
  [
    "fields that exclude each other",
    { either: "a", or: "b" },
    "HDL0019 spec.or: spec sets either and or, but only one of either, or may be set.",
  ],
  [
    "a name with a wrong form",
    { headers: { "a b": "1" } },
    'HDL0017 spec.headers.a b: spec.headers["a b"]: the name "a b" is not a header name. Header names are made of letters, digits and dashes, without spaces or colons.',
  ],
  [
    "names that differ only in case",
    { headers: { a: "1", A: "2" } },
    "HDL0023 spec.headers.A: spec.headers.A: the name is written twice; upper and lower case mean the same here.",
  ],
  [
    "a mapping where a flag belongs",
    { inner: [{ name: "a", flag: {} }] },
    "HDL0011 spec.inner.0.flag: spec.inner[0].flag must be true or false, but is a mapping. Write true or false, without quotes.",
  ],
  [
    "a list where a mapping belongs",
    { inner: [[]] },
    "HDL0011 spec.inner.0: spec.inner[0] must be a mapping, but is a list.",
  ],
];

for (const [what, value, expected] of cases) {
  test(`${what} is said with place and remedy`, () => {
    assert.equal(firstProblem(value), expected);
  });
}

test("names of JavaScript's own objects are unknown fields, not found ones", () => {
  for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
    const value = Object.fromEntries([[name, 1]]) as PlainValue;
    assert.match(firstProblem(value), /^HDL0010/, name);
  }
});

test("every problem is reported, not only the first", () => {
  const { problems } = judge({ words: "a", mode: "x", count: 0 });
  assert.deepEqual(
    problems.map((problem) => problem.code),
    ["HDL0011", "HDL0015", "HDL0014"],
  );
});

test("long values are cut in messages", () => {
  const message = firstProblem({ mode: "x".repeat(500) });
  assert.ok(message.length < 200);
});
