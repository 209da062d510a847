import { canonicalJson } from "./canonical-json.ts";
import { describeIdentity, describePlace, identityKey, makeFinding } from "./finding.ts";
import type { Finding, ResourceIdentity } from "./finding.ts";
import { isSecurityKind } from "./kinds/kinds.ts";
import { dryRunAnnotation } from "./metadata.ts";
import type { SetOptions } from "./options.ts";
import type { BrokenDocument, ParsedFile } from "./parse-file.ts";
import { findSubsetCulprits } from "./references/culprits.ts";
import { identityOf, makeResource } from "./resource.ts";
import type { BrokenPolicy, ParsedResource, SecurityKind } from "./resource.ts";
import { validateSet } from "./validate-set.ts";

export interface Acceptance {
  /** What is in force now. A resource that did not change at all, its lines included, is the same object as before. */
  readonly accepted: readonly ParsedResource[];
  /** Everything there is to say about the files, and about what became of their resources. */
  readonly findings: readonly Finding[];
  /** Security resources that nothing accepted stands for: the traffic they may concern is denied. */
  readonly broken: readonly BrokenPolicy[];
}

/**
 * Decides what is in force after the files have changed (design, "Findings"): a resource with an error is rejected whole and its
 * previous accepted version stays; a resource that is gone leaves; references are judged on the whole set. A change that takes
 * away what an unchanged resource refers to is itself held back. Pure: the same inputs give the same answer.
 *
 * @param previous what was in force before, from `accepted` or from `parseAccepted`; empty at the very first start
 * @param files every file there is now, not only the changed ones
 */
export function acceptResources(
  previous: readonly ParsedResource[],
  files: readonly ParsedFile[],
  options: SetOptions,
): Acceptance {
  return new Decision(previous, files, options).run();
}

/** Whether two versions of a resource mean the same: all but the lines, the file and the counted generation. */
export function isSameContent(a: ParsedResource, b: ParsedResource): boolean {
  return contentOf(a) === contentOf(b);
}

function contentOf(resource: ParsedResource): string {
  const { labels, annotations, creationTimestamp } = resource.metadata;
  return canonicalJson([
    resource.apiVersion,
    identityOf(resource),
    labels,
    annotations,
    creationTimestamp ?? null,
    resource.spec,
  ]);
}

class Decision {
  readonly #previous: ReadonlyMap<string, ParsedResource>;
  readonly #files: readonly ParsedFile[];
  readonly #options: SetOptions;
  /** What would be in force, by identity. */
  readonly #current = new Map<string, ParsedResource>();
  /** What the files say, before anything is put back. */
  readonly #written = new Map<string, ParsedResource>();
  readonly #findings: Finding[] = [];
  readonly #broken: BrokenPolicy[] = [];

  constructor(previous: readonly ParsedResource[], files: readonly ParsedFile[], options: SetOptions) {
    this.#previous = new Map(previous.map((resource) => [keyOf(resource), resource]));
    this.#files = files;
    this.#options = options;
  }

  run(): Acceptance {
    this.#findings.push(...this.#files.flatMap((file) => file.findings));
    this.#takeWritten();
    for (const file of this.#files) for (const document of file.broken) this.#standInFor(document);
    this.#judgeReferences();
    return {
      accepted: [...this.#current.values()].map((resource) => this.#settle(resource)),
      findings: this.#findings,
      broken: this.#broken,
    };
  }

  /** Duplicates are judged first: none of them can be taken, since it is unclear which one is meant. */
  #takeWritten(): void {
    const groups = Map.groupBy(
      this.#files.flatMap((file) => file.resources),
      keyOf,
    );
    for (const [key, group] of groups) {
      const [first] = group;
      if (first === undefined) continue;
      if (group.length === 1) {
        this.#written.set(key, first);
        this.#current.set(key, first);
      } else {
        this.#findings.push(...validateSet(group, this.#options).filter((finding) => finding.code === "HDL0101"));
        this.#reject(key, group);
      }
    }
  }

  /** A document with errors: what was accepted under its identity, or out of its file, stays. */
  #standInFor(document: BrokenDocument): void {
    const key = document.identity === undefined ? undefined : identityKey(document.identity);
    const before = key === undefined ? undefined : this.#previous.get(key);
    // Below or within another kind's text a policy may have been recognised.
    let isStoodFor =
      before !== undefined && (document.security === undefined || before.kind === document.security.kind);
    // A document above may have kept everything that came from the file.
    if (key !== undefined && before !== undefined && !this.#current.has(key)) this.#keep(key, before);
    if (!document.isReadable || key === undefined)
      isStoodFor = this.#keepAllOf(document.source.file, document.security?.kind) || isStoodFor;
    if (document.security === undefined || isStoodFor) return;
    const { kind, namespace, name, selector } = document.security;
    this.#deny({ kind, namespace: namespace ?? this.#options.rootNamespace, name, selector, source: document.source });
  }

  /**
   * What a broken text holds cannot be told (an open quote swallows the documents below it), nor what a document without kind or
   * name was, so everything that came from its file and is nowhere else now stays. Says whether a policy of the kind is among it,
   * which then is taken for the broken one.
   */
  #keepAllOf(file: string, kind: SecurityKind | undefined): boolean {
    let hasKind = false;
    for (const [key, resource] of this.#previous) {
      if (!isWithin(resource.source.file, file) || this.#written.has(key)) continue;
      hasKind ||= resource.kind === kind;
      if (!this.#current.has(key)) this.#keep(key, resource);
    }
    return hasKind;
  }

  /** Puts versions back until nothing in force is wrong that could be put right; each round but the last puts back at least one. */
  #judgeReferences(): void {
    for (let round = 1, hasChanged = true; hasChanged; round += 1) {
      const findings = validateSet([...this.#current.values()], this.#options);
      const answered = this.#answerErrors(findings.filter((finding) => finding.severity === "error"));
      hasChanged = answered.size > 0;
      if (round === 1) this.#findings.push(...findings.filter((finding) => !answered.has(finding)));
    }
  }

  /** Returns the errors that led to something being put back, and so will not be found again. */
  #answerErrors(errors: readonly Finding[]): ReadonlySet<Finding> {
    const answered = new Set<Finding>();
    const byResource = Map.groupBy(errors, (finding) =>
      finding.resource === undefined ? "" : identityKey(finding.resource),
    );
    for (const [key, findings] of byResource) {
      const resource = this.#current.get(key);
      if (resource === undefined) continue;
      const before = this.#previous.get(key);
      const isNew = resource === this.#written.get(key) && (before === undefined || !isSameContent(before, resource));
      if (isNew) {
        this.#findings.push(...findings);
        this.#current.delete(key);
        this.#reject(key, [resource]);
      } else if (!this.#holdBack(findings, resource)) continue;
      for (const finding of findings) answered.add(finding);
    }
    return answered;
  }

  /** The resource has not changed, so somebody else's change has broken it. False when no change can be held back. */
  #holdBack(findings: readonly Finding[], victim: ParsedResource): boolean {
    const changed = [...this.#current].flatMap(([key, resource]) => {
      const before = this.#previous.get(key);
      return before === undefined || before === resource || isSameContent(before, resource)
        ? []
        : [{ before, after: resource }];
    });
    const culprits = findings.some((finding) => finding.code === "HDL0104") ? findSubsetCulprits(victim, changed) : [];
    for (const { before, after, subset } of culprits) {
      const user = `${describeIdentity(identityOf(victim))} (${describePlace(victim.source)})`;
      const message = `The change takes away the subset ${subset}, which ${user} refers to. The version accepted before stays in force.`;
      this.#findings.push(
        makeFinding("HDL0203", { message, ...after.locate(["spec", "subsets"]), resource: identityOf(after) }),
      );
      this.#current.set(keyOf(after), before);
    }
    return culprits.length > 0;
  }

  /** What the files hold under one identity, and cannot be taken. Copies may differ: whatever one of them selects is denied. */
  #reject(key: string, copies: readonly ParsedResource[]): void {
    const before = this.#previous.get(key);
    if (before !== undefined) return this.#keep(key, before);
    const denied = new Set<string>();
    for (const copy of copies) {
      if (!isSecurityKind(copy.kind) || copy.metadata.annotations[dryRunAnnotation] === "true") continue;
      const selector = selectorOf(copy);
      const scope = canonicalJson(selector ?? null);
      if (denied.has(scope)) continue;
      denied.add(scope);
      this.#deny({ ...identityOf(copy), kind: copy.kind, selector, source: copy.source });
    }
  }

  #keep(key: string, before: ParsedResource): void {
    this.#current.set(key, before);
    const identity = identityOf(before);
    const message = "The version accepted before stays in force.";
    this.#findings.push(
      makeFinding("HDL0201", { message, file: before.source.file, line: before.source.line, resource: identity }),
    );
  }

  #deny(policy: BrokenPolicy): void {
    this.#broken.push(policy);
    const resource: ResourceIdentity = { kind: policy.kind, namespace: policy.namespace, name: policy.name };
    const message = `The ${policy.kind} cannot be used, and no earlier version of it was accepted, so every request to ${this.#describeScope(policy)} is denied.`;
    this.#findings.push(
      makeFinding("HDL0202", { message, file: policy.source.file, line: policy.source.line, resource }),
    );
  }

  #describeScope(policy: BrokenPolicy): string {
    const isMesh = policy.namespace === this.#options.rootNamespace;
    if (policy.selector === undefined)
      return isMesh ? "every workload of the mesh" : `every workload in the namespace ${policy.namespace}`;
    const labels = Object.entries(policy.selector).map(([key, value]) => `${key}: ${value}`);
    return `workloads with ${labels.join(", ")} ${isMesh ? "in the mesh" : `in the namespace ${policy.namespace}`}`;
  }

  /** Counts the generation, and keeps the very object of a version that is exactly as it was. */
  #settle(resource: ParsedResource): ParsedResource {
    const before = this.#previous.get(keyOf(resource));
    if (before === resource) return resource;
    const isSame = before !== undefined && isSameContent(before, resource);
    if (isSame && canonicalJson([before.source, before.lines]) === canonicalJson([resource.source, resource.lines]))
      return before;
    const isSameSpec = before !== undefined && canonicalJson(before.spec) === canonicalJson(resource.spec);
    const counted = before === undefined ? 1 : before.metadata.generation + (isSameSpec ? 0 : 1);
    const generation = resource.metadata.generation > 0 ? resource.metadata.generation : counted;
    return makeResource({ ...resource, metadata: { ...resource.metadata, generation } });
  }
}

function keyOf(resource: ParsedResource): string {
  return identityKey(identityOf(resource));
}

/** An unreadable path may be a folder. */
function isWithin(file: string, path: string): boolean {
  return file === path || file.startsWith(`${path}/`);
}

function selectorOf(resource: ParsedResource): Readonly<Record<string, string>> | undefined {
  if (resource.kind !== "AuthorizationPolicy" && resource.kind !== "PeerAuthentication") return undefined;
  const labels = resource.spec.selector?.matchLabels;
  return labels === undefined || Object.keys(labels).length === 0 ? undefined : labels;
}
