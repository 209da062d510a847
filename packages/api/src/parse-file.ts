import { describeBrokenSecurity } from "./broken-security.ts";
import type { BrokenSecurity } from "./broken-security.ts";
import type { Finding, ResourceIdentity, SourceLocation } from "./finding.ts";
import { makeFinding } from "./finding.ts";
import type { FindingCode } from "./finding-codes.ts";
import { lineAt } from "./line-tree.ts";
import { annotationProblems, metadataFields, readIdentity } from "./metadata.ts";
import type { Kind, Metadata, ParsedResource } from "./resource.ts";
import { makeResource } from "./resource.ts";
import { identifyKind, isMisspeltKind } from "./kind-lookup.ts";
import { Validator, isMapping } from "./schema/validator.ts";
import type { SchemaProblem } from "./schema/validator.ts";
import { readDocuments } from "./yaml/documents.ts";
import type { YamlDocument } from "./yaml/documents.ts";
import type { PlainValue } from "./yaml/plain-value.ts";

/** A document that is not among the resources because of its errors, as far as it could be understood. */
export interface BrokenDocument {
  /** undefined when kind, namespace or name cannot be told; a misspelt kind tells nothing. */
  readonly identity: ResourceIdentity | undefined;
  /** Set when the document is, or must be taken for, a security resource. */
  readonly security: BrokenSecurity | undefined;
  /** false when the YAML could not be read, or has a key twice, so that the text may hold more than what was recognised. */
  readonly isReadable: boolean;
  readonly source: SourceLocation;
}

export interface ParsedFile {
  readonly file: string;
  /** Resources without an error of their own. */
  readonly resources: readonly ParsedResource[];
  readonly findings: readonly Finding[];
  readonly broken: readonly BrokenDocument[];
}

/**
 * Reads every resource of a YAML (or JSON) text. User input never throws: whatever is wrong becomes a finding with its line,
 * and the resource it belongs to is left out whole.
 *
 * @param file how the findings name the text, usually a path relative to the folder
 */
export function parseFile(text: string, file: string): ParsedFile {
  const resources: ParsedResource[] = [];
  const findings: Finding[] = [];
  const broken: BrokenDocument[] = [];
  for (const document of readDocuments(text).flatMap(expandList)) {
    const reader = new DocumentReader(document, file);
    const resource = reader.read();
    findings.push(...reader.findings);
    if (resource === undefined) broken.push(reader.describeBroken());
    else resources.push(resource);
  }
  return { file, resources, findings, broken };
}

/** A file that could not be read at all, told in the same terms, so that what was accepted from it before stays in force. */
export function unreadableFile(file: string, reason: string): ParsedFile {
  const finding = makeFinding("HDL0008", { file, message: `The file cannot be read: ${reason}.` });
  return {
    file,
    resources: [],
    findings: [finding],
    broken: [{ identity: undefined, security: undefined, isReadable: false, source: { file, line: 1 } }],
  };
}

/** `kubectl get -o yaml` wraps several resources into a List of v1. */
function expandList(document: YamlDocument): YamlDocument[] {
  const { value, lines } = document;
  if (!isMapping(value) || value["kind"] !== "List" || value["apiVersion"] !== "v1" || document.problems.length > 0)
    return [document];
  const items = value["items"];
  if (!Array.isArray(items)) return [document];
  return items.map((item: PlainValue, index) => {
    const itemLines = lines.c?.["items"]?.c?.[index] ?? lines;
    return { value: item, lines: itemLines, line: itemLines.l, problems: [], text: "" };
  });
}

/** After these the value is whatever the parser could save. */
const unreadable: readonly FindingCode[] = ["HDL0001", "HDL0007"];

class DocumentReader {
  readonly findings: Finding[] = [];
  readonly #document: YamlDocument;
  readonly #file: string;
  readonly #identity: ResourceIdentity | undefined;
  #hasError = false;

  constructor(document: YamlDocument, file: string) {
    this.#document = document;
    this.#file = file;
    this.#identity = readIdentity(document.value);
  }

  /** undefined when there is any error. */
  read(): ParsedResource | undefined {
    const { value, problems } = this.#document;
    for (const problem of problems) this.#add(problem.code, problem.line, problem.message, problem.hint);
    if (problems.some((problem) => unreadable.includes(problem.code))) return undefined;
    if (!isMapping(value)) {
      this.#add("HDL0003", this.#document.line, "The document is not a mapping.");
      return undefined;
    }
    const found = identifyKind(value, (code, path, message, hint) =>
      this.#add(code, lineAt(this.#document.lines, path), message, hint),
    );
    if (found === undefined) return undefined;
    const { description, apiVersion } = found;
    const metadata = this.#metadata(value, description.kind);
    const spec = this.#validate(
      new Validator(description.spec, metadata?.namespace ?? this.#identity?.namespace ?? "default"),
      value["spec"],
      "spec",
    );
    if (metadata === undefined || spec === undefined || this.#hasError) return undefined;
    const { file, lines } = { file: this.#file, lines: this.#document.lines };
    return makeResource({
      apiVersion,
      kind: description.kind,
      metadata,
      spec,
      source: { file, line: this.#document.line },
      lines,
    });
  }

  describeBroken(): BrokenDocument {
    const source = { file: this.#file, line: this.#document.line };
    const { problems, value } = this.#document;
    // A key written twice leaves two answers to what is selected, or comes of two documents that have run together. What a list
    // that is none of v1 holds is not told apart, either.
    const isReadable = !problems.some(({ code }) => code === "HDL0002" || unreadable.includes(code));
    return {
      identity: isMisspeltKind(this.#identity?.kind) ? undefined : this.#identity,
      security: describeBrokenSecurity(
        this.#document,
        isReadable && isMapping(value) && !Array.isArray(value["items"]),
      ),
      isReadable,
      source,
    };
  }

  #metadata(value: Readonly<Record<string, PlainValue>>, kind: Kind): Metadata | undefined {
    const read = this.#validate(new Validator(metadataFields, ""), value["metadata"], "metadata") as
      | Partial<Metadata>
      | undefined;
    if (read?.name === undefined) return undefined;
    const annotations = read.annotations ?? {};
    for (const problem of annotationProblems(kind, annotations)) this.#addSchemaProblem(problem);
    return {
      name: read.name,
      namespace: read.namespace ?? "default",
      labels: read.labels ?? {},
      annotations,
      ...(read.creationTimestamp === undefined ? {} : { creationTimestamp: read.creationTimestamp }),
      generation: read.generation ?? 0,
    };
  }

  #validate(validator: Validator, value: PlainValue | undefined, name: "metadata" | "spec"): unknown {
    if (value === undefined) {
      const hint =
        name === "spec" ? "Add spec; write `spec: {}` if an empty one is meant." : "Add metadata with a name.";
      this.#add("HDL0013", this.#document.line, `${name} is missing.`, hint);
      return undefined;
    }
    const result = validator.validate(value, [name]);
    for (const problem of validator.problems) this.#addSchemaProblem(problem);
    return result;
  }

  #addSchemaProblem(problem: SchemaProblem): void {
    this.#add(problem.code, lineAt(this.#document.lines, problem.path), problem.message, problem.hint);
  }

  #add(code: FindingCode, line: number, message: string, hint?: string): void {
    const finding = makeFinding(code, { message, hint, file: this.#file, line, resource: this.#identity });
    if (finding.severity === "error") this.#hasError = true;
    this.findings.push(finding);
  }
}
