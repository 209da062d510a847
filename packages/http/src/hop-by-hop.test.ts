import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderList } from "./header-list.ts";
import { removeHopByHop } from "./hop-by-hop.ts";

function left(keepTrailersTe: boolean, ...fields: [string, string][]): [string, string][] {
  const headers = HeaderList.of(...fields);
  removeHopByHop(headers, keepTrailersTe);
  return headers.toPairs();
}

test("removes the fields about one connection and no others", () => {
  const removed: [string, string][] = [
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
  ].map((name) => [name, "x"]);
  assert.deepEqual(
    left(false, ["a", "1"], ["connection", "close"], ...removed, ["te", "trailers"], ["trailer", "x"], ["b", "2"]),
    [
      ["a", "1"],
      ["trailer", "x"],
      ["b", "2"],
    ],
  );
});

test("removes what Connection names, in any case and over several fields", () => {
  assert.deepEqual(
    left(false, ["connection", "X-A , close"], ["x-a", "1"], ["connection", "x-b"], ["x-b", "2"], ["x-c", "3"]),
    [["x-c", "3"]],
  );
});

test("keeps te: trailers when asked, and nothing else of te", () => {
  assert.deepEqual(left(true, ["te", "gzip, Trailers"]), [["te", "trailers"]]);
  assert.deepEqual(left(true, ["te", "gzip"]), []);
  assert.deepEqual(left(true, ["connection", "te"], ["te", "trailers"]), []);
});

test("an odd Connection field removes nothing odd", () => {
  assert.deepEqual(left(false, ["connection", ",, ,"], ["a", "1"]), [["a", "1"]]);
});
