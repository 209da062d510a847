import assert from "node:assert/strict";
import { chmodSync, symlinkSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { atEnd } from "../testing/at-end.ts";
import { HeddleProcess } from "../testing/heddle-process.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

const files: Readonly<Record<string, string>> = {
  // The user's own Node, which leaves its mark.
  "own/node": `#!/bin/sh\nWHOSE="the user's" exec "${process.execPath}" "$@"\n`,
  "own/README": "a folder of the user's PATH",
  "npm/node_modules/.bin/README": "what npm puts in front of the PATH",
  "mesh/server.ts": `import { createServer } from "node:http";
const whose: string = process.env["WHOSE"] ?? "Heddle's";
createServer((_, response) => response.end())
  .listen(process.env["PORT"], "127.0.0.1", () => console.log(\`runs on \${whose} node\`));
`,
  "mesh/mesh.yaml": `apiVersion: heddle.dev/v1alpha1
kind: LocalMesh
metadata: { name: two-runtimes }
spec:
  workloads:
    - { name: plain, service: plain, command: [node, server.ts], port: 80 }
    - { name: typed, service: typed, command: [heddle-node, server.ts], port: 80 }
`,
};

for (const { title, front } of [
  { title: "a symlink of the user's calls heddle", front: [] },
  { title: "npx or npm run calls heddle, with Heddle's own runtime in front", front: ["npm/node_modules/.bin"] },
]) {
  test(`node is the user's and heddle-node is Heddle's when ${title}`, { timeout: 110_000 }, async (context) => {
    const folder = temporaryFolder(context, files);
    chmodSync(join(folder, "own/node"), 0o755);
    symlinkSync(process.execPath, join(folder, "npm/node_modules/.bin/node"));
    const path = [...front, "own"].map((entry) => join(folder, entry));
    const heddle = new HeddleProcess(["up", join(folder, "mesh"), "--mode", "ports"], {
      env: { PATH: [...path, process.env["PATH"]].join(delimiter) },
    });
    atEnd(context, () => heddle.dispose());
    assert.match(await heddle.line(/plain-0 .*runs on/), /runs on the user's node/);
    assert.match(await heddle.line(/typed-0 .*runs on/), /runs on Heddle's node/);
  });
}
