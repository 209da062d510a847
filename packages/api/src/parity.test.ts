import assert from "node:assert/strict";
import { test } from "node:test";
import { stringify } from "yaml";
import { kinds } from "./kinds/kinds.ts";
import { findingCodes } from "./finding-codes.ts";
import { parseFile } from "./parse-file.ts";
import type { Schema } from "./schema/field-table.ts";
import { minimalResource } from "./testing/minimal-resource.ts";
import type { PublishedKind } from "./testing/published-kind.ts";
import { fieldPaths } from "./testing/published-kind.ts";
import { publishedKinds } from "./testing/published-kinds.generated.ts";

for (const published of publishedKinds) {
  const ours = kinds.find((each) => each.kind === published.kind && each.group === published.group);
  if (ours === undefined) refuse(published);
  else compare(published);
}

test("every kind but our own is a published one", () => {
  const names = publishedKinds.map(({ group, kind }) => `${group}/${kind}`);
  for (const { group, kind } of kinds) if (group !== "heddle.dev") assert.ok(names.includes(`${group}/${kind}`), kind);
});

function refuse(published: PublishedKind): void {
  test(`${published.group} ${published.kind} is refused by name in every version`, () => {
    for (const version of published.servedVersions) {
      const { resources, findings } = parseFile(
        stringify({
          apiVersion: `${published.group}/${version}`,
          kind: published.kind,
          metadata: { name: "a" },
          spec: {},
        }),
        "a.yaml",
      );
      assert.deepEqual(resources, []);
      assert.deepEqual(
        findings.map((finding) => finding.code),
        ["HDL0004"],
      );
      assert.match(findings[0]?.message ?? "", new RegExp(`${published.kind} .*is not supported yet`));
      assert.notEqual(findings[0]?.hint, findingCodes.HDL0004.hint, "what to do instead is said for each kind");
    }
  });
}

/** What really parsing a resource with the field set says of it. */
function verdict(published: PublishedKind, path: readonly string[]): "supported" | "refused" {
  const { text, where } = minimalResource(published, path);
  const { resources, findings } = parseFile(text, "a.yaml");
  const errors = findings.filter((finding) => finding.severity === "error");
  if (errors.length === 0) {
    assert.equal(resources.length, 1, where);
    return "supported";
  }
  const names = errors.every(
    (finding) => (finding.code === "HDL0012" || finding.code === "HDL0016") && isWithin(where, finding.message),
  );
  assert.ok(
    names,
    `${where} is neither supported nor refused by name:\n${text}\n${errors.map((each) => `${each.code} ${each.message}`).join("\n")}`,
  );
  return "refused";
}

function compare(published: PublishedKind): void {
  test(`${published.kind}: every published version is read`, () => {
    assert.deepEqual(
      [...(kinds.find((each) => each.kind === published.kind)?.versions ?? [])].sort(),
      [...published.servedVersions].sort(),
    );
  });

  test(`${published.kind}: every published field and every word of its enums is supported or refused by name`, (context) => {
    const verdicts = fieldPaths(published.spec).map((path) => verdict(published, path));
    assert.ok(verdicts.length > 3);
    const count = (wanted: string) => verdicts.filter((each) => each === wanted).length;
    context.diagnostic(
      `${published.kind}: ${count("supported")} fields and words supported, ${count("refused")} refused by name`,
    );
  });

  test(`${published.kind}: the tables hold no field that is not a published one`, () => {
    const known = new Set(
      fieldPaths(published.spec).map((path) => path.filter((step) => !step.startsWith("=")).join(".")),
    );
    const ours = kinds.find((each) => each.kind === published.kind);
    assert.ok(ours !== undefined);
    for (const path of tablePaths(ours.spec, [])) assert.ok(known.has(path), `${published.kind} has no ${path}`);
  });
}

/** Whether a message of refusal names the field or a block around it. */
function isWithin(where: string, message: string): boolean {
  const named = /^(spec[^ :]*)(?: is not supported yet|: )/.exec(message)?.[1];
  return (
    named !== undefined &&
    (where === named || where.startsWith(`${named}.`) || where.startsWith(`${named}[`) || named.startsWith(`${where}[`))
  );
}

/** The fields of a table, supported or refused, in the form of `fieldPaths`. */
function tablePaths(schema: Schema, path: readonly string[]): string[] {
  switch (schema.type) {
    case "list":
      return tablePaths(schema.items, [...path, "[]"]);
    case "map":
      return tablePaths(schema.values, [...path, "*"]);
    case "object": {
      const supported = Object.entries(schema.fields).flatMap(([name, field]) => [
        [...path, name].join("."),
        ...tablePaths(field.schema, [...path, name]),
      ]);
      return [...supported, ...Object.keys(schema.notYet).map((name) => [...path, name].join("."))];
    }
    default:
      return [];
  }
}
