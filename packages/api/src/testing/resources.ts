import assert from "node:assert/strict";
import type { Finding } from "../finding.ts";
import { parseFile } from "../parse-file.ts";
import type { Kind, ParsedResource } from "../resource.ts";

/** `HDL0010:5` for each finding, in order. */
export function codesAndLines(findings: readonly Finding[]): string[] {
  return findings.map((finding) => `${finding.code}:${finding.line ?? "-"}`);
}

/** Codes and lines of what one text is told. */
export function findingsOf(text: string): string[] {
  return codesAndLines(parseFile(text, "test.yaml").findings);
}

/** The resources of a text that must be without errors. */
export function resourcesOf(text: string, file = "test.yaml"): readonly ParsedResource[] {
  const parsed = parseFile(text, file);
  assert.deepEqual(
    parsed.findings.filter((finding) => finding.severity === "error"),
    [],
  );
  return parsed.resources;
}

/** The one resource of a text, which is of the kind and without errors. */
export function resourceOf<Wanted extends Kind>(kind: Wanted, text: string): Extract<ParsedResource, { kind: Wanted }> {
  const [resource] = resourcesOf(text);
  assert.equal(resource?.kind, kind);
  return resource as Extract<ParsedResource, { kind: Wanted }>;
}

const apiVersions: Readonly<Record<Kind, string>> = {
  LocalMesh: "heddle.dev/v1alpha1",
  VirtualService: "networking.istio.io/v1",
  DestinationRule: "networking.istio.io/v1",
  PeerAuthentication: "security.istio.io/v1",
  AuthorizationPolicy: "security.istio.io/v1",
};

/** A document whose spec begins on line 5: four lines stand above it, and it is indented by two spaces. */
export function documentOf(kind: Kind, spec: string, metadata = "{ name: test }"): string {
  const indented = spec
    .trim()
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");
  return `apiVersion: ${apiVersions[kind]}\nkind: ${kind}\nmetadata: ${metadata}\nspec:\n${indented}\n`;
}

/** What one spec of a kind is told, as `CODE:line of the spec`, counting from 1. */
export function specFindings(kind: Kind, spec: string): string[] {
  const { findings } = parseFile(documentOf(kind, spec), "test.yaml");
  return findings.map((finding) => `${finding.code}:${(finding.line ?? 0) - 4}`);
}
