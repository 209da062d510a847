import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { formatData } from "./data.ts";

const data = { name: "x", list: [{ a: 1 }], nothing: null, left: undefined };

test("JSON and YAML say the same, and leave out the same", async () => {
  const json: unknown = JSON.parse(await formatData("json", data, () => ""));
  assert.deepEqual(json, { name: "x", list: [{ a: 1 }], nothing: null });
  assert.deepEqual(parse(await formatData("yaml", data, () => "")), json);
});

test("a table is what the command makes of it", async () => {
  assert.equal(await formatData("table", data, () => "NAME\nx\n"), "NAME\nx\n");
});
