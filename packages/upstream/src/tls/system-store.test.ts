import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ThrowawayCa } from "@heddle/testkit";

const script = fileURLToPath(new URL("../testing/system-store-verdict.ts", import.meta.url));

/** What a process whose trust store is this file says of a chain. */
function verdict(chainDer: readonly Buffer[], store: string): unknown {
  const { stdout, stderr } = spawnSync(process.execPath, [script], {
    input: chainDer.map((der) => der.toString("base64")).join("\n"),
    env: { ...process.env, SSL_CERT_FILE: store, SSL_CERT_DIR: join(store, "none") },
    encoding: "utf8",
  });
  return stdout === "" ? stderr : JSON.parse(stdout);
}

test("the machine's own trust store judges where a context asks for it, and an empty one trusts nobody", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-store-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const [ca, other] = [await ThrowawayCa.create(), await ThrowawayCa.create()];
  const { chainDer } = await ca.issue("", { uris: [], dnsNames: ["shop.example"] });
  writeFileSync(join(folder, "both.pem"), other.certificatePem + ca.certificatePem);
  writeFileSync(join(folder, "other.pem"), other.certificatePem);
  assert.equal(verdict(chainDer, join(folder, "both.pem")), "");
  assert.match(String(verdict(chainDer, join(folder, "other.pem"))), /^peer_untrusted,/);
  assert.match(String(verdict(chainDer, join(folder, "absent.pem"))), /^,the machine's trust store is empty/);
});
