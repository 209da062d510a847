import assert from "node:assert/strict";
import { test } from "node:test";
import {
  HeaderMatcherSchema,
  type JsonObject,
  QueryParameterMatcherSchema,
  StringMatcherSchema,
} from "@heddle/xds/api";
import { fromEnvoyJson } from "../testing/harness.ts";
import { Loading, Path } from "./loading.ts";
import { loadHeaderMatch, loadQueryParameterMatch, loadStringMatch } from "./string-match.ts";

const at = new Path("m");

function result<T>(load: (loading: Loading) => T): T | string[] {
  const loading = new Loading({});
  const value = load(loading);
  return loading.problems.length === 0 ? value : loading.problems.map(({ path, message }) => `${path}: ${message}`);
}

const string = (json: JsonObject) =>
  result((loading) => loadStringMatch(fromEnvoyJson(StringMatcherSchema, json), at, loading));
const header = (json: JsonObject) =>
  result((loading) => loadHeaderMatch(fromEnvoyJson(HeaderMatcherSchema, { name: "X-A", ...json }), at, loading));
const parameter = (json: JsonObject) =>
  result((loading) => loadQueryParameterMatch(fromEnvoyJson(QueryParameterMatcherSchema, json), at, loading));

test("string, header and query matchers arrive in every form", () => {
  for (const kind of ["exact", "prefix", "suffix", "contains"]) {
    assert.deepEqual(string({ [kind]: "v" }), { kind, value: "v", ignoreCase: false });
    assert.deepEqual(string({ [kind]: "v", ignore_case: true }), { kind, value: "v", ignoreCase: true });
    assert.deepEqual(header({ [`${kind}_match`]: "v" }), {
      name: "x-a",
      condition: { kind: "string", match: { kind, value: "v", ignoreCase: false } },
      invert: false,
      treatMissingAsEmpty: false,
    });
  }
  assert.deepEqual(string({ safe_regex: { regex: "a+" } }), { kind: "regex", regex: "a+" });
  // RE2 is the engine that older configurations name.
  assert.deepEqual(string({ safe_regex: { google_re2: {}, regex: "a+" } }), { kind: "regex", regex: "a+" });
  const of = (condition: JsonObject): unknown => (header(condition) as { condition: unknown }).condition;
  assert.deepEqual(of({ safe_regex_match: { regex: "a+" } }), {
    kind: "string",
    match: { kind: "regex", regex: "a+" },
  });
  assert.deepEqual(of({ string_match: { prefix: "p", ignore_case: true } }), {
    kind: "string",
    match: { kind: "prefix", value: "p", ignoreCase: true },
  });
  assert.deepEqual(of({ range_match: { start: "-5", end: "10" } }), { kind: "range", start: -5, end: 10 });
  assert.deepEqual(of({ present_match: true }), { kind: "present", present: true });
  assert.deepEqual(of({ present_match: false }), { kind: "present", present: false });
  assert.deepEqual(of({}), { kind: "present", present: true });
  assert.deepEqual(header({ exact_match: "", invert_match: true, treat_missing_header_as_empty: true }), {
    name: "x-a",
    condition: { kind: "string", match: { kind: "exact", value: "", ignoreCase: false } },
    invert: true,
    treatMissingAsEmpty: true,
  });
  assert.deepEqual(parameter({ name: "p", string_match: { exact: "1" } }), {
    name: "p",
    match: { kind: "exact", value: "1", ignoreCase: false },
    present: true,
  });
  assert.deepEqual(parameter({ name: "p", present_match: false }), { name: "p", match: undefined, present: false });
  assert.deepEqual(parameter({ name: "p" }), { name: "p", match: undefined, present: true });
});

test("matchers that say nothing, or what cannot be kept, are refused", () => {
  assert.deepEqual(string({}), ["m: there is no pattern"]);
  for (const kind of ["prefix", "suffix", "contains"]) {
    assert.deepEqual(string({ [kind]: "" }), [`m.${kind}: the field is empty`]);
    assert.deepEqual(header({ [`${kind}_match`]: "" }), [`m.${kind}_match: the field is empty`]);
  }
  assert.deepEqual(string({ safe_regex: { regex: "" } }), ["m.safe_regex.regex: the field is empty"]);
  assert.match(
    JSON.stringify(string({ safe_regex: { regex: "(?=a)" } })),
    /"m\.safe_regex\.regex: error parsing regexp/,
  );
  assert.deepEqual(string({ safe_regex: { regex: "a" }, ignore_case: true }), [
    "m.ignore_case: ignore_case has no effect on a regex",
  ]);
  assert.deepEqual(header({ name: "a b" }), ['m.name: "a b" is not a header name']);
  assert.deepEqual(parameter({ name: "" }), ["m.name: the field is empty"]);
});
