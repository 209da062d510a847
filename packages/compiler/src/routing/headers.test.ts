import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderValueOption_HeaderAppendAction } from "@heddle/xds/api";
import { compileHeaders } from "./headers.ts";

const overwrite = HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD;
const append = HeaderValueOption_HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD;

test("Values that are set come before values that are added, each by name", () => {
  const { requestHeadersToAdd } = compileHeaders({ request: { set: { b: "1", a: "2" }, add: { d: "3", c: "4" } } });
  assert.deepEqual(
    requestHeadersToAdd.map(({ header, appendAction }) => [header.key, header.value, appendAction]),
    [
      ["a", "2", overwrite],
      ["b", "1", overwrite],
      ["c", "4", append],
      ["d", "3", append],
    ],
  );
});

test("Setting host or :authority rewrites the host and is no header operation; set wins over add", () => {
  for (const name of ["host", "Host", ":authority"]) {
    const compiled = compileHeaders({
      request: { set: { [name]: "a.example" }, add: { host: "b.example" }, remove: [name, "x"] },
    });
    assert.equal(compiled.authority, "a.example");
    assert.deepEqual(compiled.requestHeadersToAdd, []);
    assert.deepEqual(compiled.requestHeadersToRemove, ["x"]);
  }
  assert.equal(compileHeaders({ request: { add: { host: "b.example" } } }).authority, "b.example");
  assert.equal(compileHeaders({ response: { set: { host: "c.example" } } }).authority, undefined);
});

test("Nothing said is nothing done", () => {
  assert.deepEqual(compileHeaders(undefined), {
    requestHeadersToAdd: [],
    requestHeadersToRemove: [],
    responseHeadersToAdd: [],
    responseHeadersToRemove: [],
    authority: undefined,
  });
});
