import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { createWorkspace } from "./workspace.ts";

test("the copy holds programs and resources, and is gone when it is removed", async () => {
  const workspace = await createWorkspace();
  const { folder } = workspace;
  assert.deepEqual(readdirSync(folder).sort(), ["mesh", "mesh.yaml", "services"]);
  await workspace.remove();
  assert.equal(existsSync(dirname(folder)), false);
});

test("the copy is gone, too, when its process is killed", { timeout: 30_000 }, async (context) => {
  const temporary = temporaryFolder(context);
  const script = `
    import { createWorkspace } from ${JSON.stringify(new URL("./workspace.ts", import.meta.url).href)};
    const { folder } = await createWorkspace();
    console.log(folder);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
    env: { ...process.env, TMPDIR: temporary },
  });
  const [chunk] = (await once(child.stdout, "data")) as [Buffer];
  assert.ok(existsSync(join(chunk.toString().trim(), "mesh.yaml")));
  child.kill("SIGKILL");
  await once(child, "close");
  while (readdirSync(temporary).length > 0) await delay(20);
});
