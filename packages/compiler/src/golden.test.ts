import assert from "node:assert/strict";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { everyCapability } from "./audience.ts";
import { Compiler, type ProxyResources } from "./compiler.ts";
import type { CompiledResource, Dialect } from "./inputs.ts";
import { resourcesToYaml } from "./testing/resource-text.ts";
import { readScene } from "./testing/scene.ts";

/** First document of an `.in.yaml`: whose resources the golden files show, and which of them. */
interface Shown {
  readonly proxy: string;
  /** Kinds, each with the names to show; an empty list shows all. */
  readonly show: Partial<Record<keyof ProxyResources, readonly string[]>>;
}

const isUpdating = process.env["UPDATE_GOLDEN"] === "1";
const root = new URL(".", import.meta.url);
const inputs = globSync("*/testdata/*.in.yaml", { cwd: root }).sort();

test("Golden files are regenerated on purpose, by a person", () => {
  assert.ok(!(isUpdating && process.env["CI"]), "UPDATE_GOLDEN=1 is refused in CI: it would make every output right");
  assert.ok(inputs.length > 0);
});

for (const input of inputs) {
  for (const dialect of ["heddle", "envoy"] satisfies Dialect[]) {
    const output = input.replace(/\.in\.yaml$/, `.${dialect}.out.yaml`);
    test(`${input} compiles to ${output}`, () => {
      const text = readFileSync(new URL(input, root), "utf8");
      const end = text.indexOf("\n---\n");
      const { proxy, show } = parse(text.slice(0, end)) as Shown;
      // As many lines are left in front as are cut off, so that findings name the right ones.
      const scene = readScene("\n".repeat(text.slice(0, end + 5).split("\n").length - 1) + text.slice(end + 5), input);
      const errors = scene.findings.filter(({ severity }) => severity === "error" && scene.inputs.broken.length === 0);
      assert.deepEqual(errors, []);

      const compiler = new Compiler();
      compiler.update(scene.inputs);
      const resources = compiler.resourcesFor({ instanceId: proxy, dialect, capabilities: everyCapability });
      const actual = resourcesToYaml(selected(resources, show));
      if (isUpdating && !process.env["CI"]) writeFileSync(new URL(output, root), actual);
      assert.equal(actual, readFileSync(new URL(output, root), "utf8"));
    });
  }
}

function selected(resources: ProxyResources, show: Shown["show"]): CompiledResource[] {
  return Object.entries(show).flatMap(([kind, names]) => {
    const all: readonly CompiledResource[] = resources[kind as keyof ProxyResources];
    if (names.length === 0) return [...all];
    return names.map((name) => {
      const found = all.find((resource) => resource.name === name);
      assert.ok(found, `no ${kind} ${name}; there are ${all.map((resource) => resource.name).join(", ")}`);
      return found;
    });
  });
}
