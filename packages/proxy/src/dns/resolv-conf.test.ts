import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { machineResolvers } from "./resolv-conf.ts";

const cases = [
  {
    lines: ["search example", "nameserver 10.0.0.1", " nameserver\t2001:db8::1 # ours"],
    servers: ["10.0.0.1", "2001:db8::1"],
  },
  { lines: ["nameserver fe80::1%eth0", "nameserver fe80::2%2"], servers: ["fe80::1%eth0", "fe80::2%2"] },
  { lines: ["nameserver 10.0.0.300", "nameserver resolver.example", "nameserver 10.0.0.2"], servers: ["10.0.0.2"] },
  { lines: ["# nameserver 10.0.0.1", "nameserver", "10.0.0.1"], servers: ["127.0.0.1"] },
  { lines: [1, 2, 3, 4].map((last) => `nameserver 10.0.0.${last}`), servers: ["10.0.0.1", "10.0.0.2", "10.0.0.3"] },
];

test("name servers are read as resolv.conf(5) has them, with the link of an address that needs one", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-resolv-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "resolv.conf");
  for (const { lines, servers } of cases) {
    writeFileSync(path, lines.join("\n"));
    assert.deepEqual(
      machineResolvers(path),
      servers.map((host) => ({ host, port: 53 })),
    );
  }
  assert.deepEqual(machineResolvers(join(folder, "none")), [{ host: "127.0.0.1", port: 53 }]);
});
