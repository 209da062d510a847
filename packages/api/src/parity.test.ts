import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";
import { kinds } from "./kinds/kinds.ts";
import { findingCodes } from "./finding-codes.ts";
import { parseFile } from "./parse-file.ts";
import { fieldPaths } from "./testing/field-paths.ts";
import type { Schema } from "./schema/field-table.ts";
import type { CrdNode } from "./testing/field-paths.ts";
import { minimalResource } from "./testing/minimal-resource.ts";

/** Published schemas lie beside the repository where it is developed; nothing of them is in it. */
const schemas = process.env["HEDDLE_SCHEMAS"] ?? fileURLToPath(new URL("../../../../shared/schemas", import.meta.url));
const isThere = existsSync(schemas);

interface Crd {
  readonly group: string;
  readonly kind: string;
  readonly servedVersions: readonly string[];
  readonly schema: { readonly spec: CrdNode };
}

function load(folder: string): Crd[] {
  const path = join(schemas, folder);
  return readdirSync(path).map((file) => parse(readFileSync(join(path, file), "utf8")) as Crd);
}

if (!isThere) {
  test("every field of the published schemas is supported or refused", {
    skip: "there are no published schemas in ../shared/schemas; set HEDDLE_SCHEMAS to a folder that holds them",
  });
} else {
  const crds = ["istio", "gateway-api", "linkerd"].flatMap(load);
  for (const crd of crds) {
    const ours = kinds.find((each) => each.kind === crd.kind && each.group === crd.group);
    if (ours === undefined) refuse(crd);
    else compare(crd);
  }
  test("every kind but our own is a published one", () => {
    const published = crds.map((crd) => `${crd.group}/${crd.kind}`);
    for (const { group, kind } of kinds)
      if (group !== "heddle.dev") assert.ok(published.includes(`${group}/${kind}`), kind);
  });
}

function refuse(crd: Crd): void {
  test(`${crd.group} ${crd.kind} is refused by name in every version`, () => {
    for (const version of crd.servedVersions) {
      const { resources, findings } = parseFile(
        stringify({ apiVersion: `${crd.group}/${version}`, kind: crd.kind, metadata: { name: "a" }, spec: {} }),
        "a.yaml",
      );
      assert.deepEqual(resources, []);
      assert.deepEqual(
        findings.map((finding) => finding.code),
        ["HDL0004"],
      );
      assert.match(findings[0]?.message ?? "", new RegExp(`${crd.kind} .*is not supported yet`));
      assert.notEqual(findings[0]?.hint, findingCodes.HDL0004.hint, "what to do instead is said for each kind");
    }
  });
}

/** What really parsing a resource with the field set says of it. */
function verdict(crd: Crd, path: readonly string[]): "supported" | "refused" {
  const { text, where } = minimalResource(crd, path);
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

function compare(crd: Crd): void {
  test(`${crd.kind}: every published version is read`, () => {
    assert.deepEqual(
      [...(kinds.find((each) => each.kind === crd.kind)?.versions ?? [])].sort(),
      [...crd.servedVersions].sort(),
    );
  });

  test(`${crd.kind}: every published field and every word of its enums is supported or refused by name`, (context) => {
    const verdicts = fieldPaths(crd.schema.spec).map(({ path }) => verdict(crd, path));
    assert.ok(verdicts.length > 3);
    const count = (wanted: string) => verdicts.filter((each) => each === wanted).length;
    context.diagnostic(
      `${crd.kind}: ${count("supported")} fields and words supported, ${count("refused")} refused by name`,
    );
  });

  test(`${crd.kind}: the tables hold no field that is not a published one`, () => {
    const published = new Set(
      fieldPaths(crd.schema.spec).map(({ path }) => path.filter((step) => !step.startsWith("=")).join(".")),
    );
    const ours = kinds.find((each) => each.kind === crd.kind);
    assert.ok(ours !== undefined);
    for (const path of tablePaths(ours.spec, [])) assert.ok(published.has(path), `${crd.kind} has no ${path}`);
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
