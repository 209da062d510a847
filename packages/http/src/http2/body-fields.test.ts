import assert from "node:assert/strict";
import { test } from "node:test";
import type { Framing } from "../http1/framing.ts";
import { fields } from "../testing/http2-frames.ts";
import { declareBody } from "./body-fields.ts";

const cases: [Framing, length: string | undefined, endsWithHead: boolean][] = [
  [{ kind: "none" }, "7", true],
  [{ kind: "length", bytes: 0 }, "0", true],
  [{ kind: "length", bytes: 9 }, "9", false],
  [{ kind: "chunked" }, undefined, false],
  [{ kind: "close" }, undefined, false],
];
for (const [framing, length, endsWithHead] of cases) {
  test(`framing ${JSON.stringify(framing)} becomes Content-Length ${length}`, () => {
    const headers = fields(["content-length", "7"]);
    assert.equal(declareBody(headers, framing), endsWithHead);
    assert.equal(headers.get("content-length"), length);
  });
}
