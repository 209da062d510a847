import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { readProxyState } from "./proxy-state.ts";

test("what a proxy said of itself is read back", async (context) => {
  const folder = temporaryFolder(context, { "proxy.json": '{"formatVersion":1,"pid":7,"adminAddress":"127.0.0.1:1"}' });
  assert.deepEqual(await readProxyState(folder), { pid: 7, adminAddress: "127.0.0.1:1" });
});

test("a file that is missing or damaged says nothing yet", async (context) => {
  const folder = temporaryFolder(context);
  assert.equal(await readProxyState(folder), undefined);
  for (const text of ["", '{"pid":7,"adm', "null", '{"pid":"7"}']) {
    writeFileSync(join(folder, "proxy.json"), text);
    assert.equal(await readProxyState(folder), undefined, text);
  }
});
