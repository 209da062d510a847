import type { Finding, ParsedFile, ParsedResource } from "@heddle/api";
import {
  acceptResources,
  describeIdentity,
  describePlace,
  identityOf,
  isSameContent,
  localMeshDefaults,
  parseFile,
  unreadableFile,
} from "@heddle/api";
import type { MeshInputs, MeshSettings, ProxyNode, ProxyResources, WorkloadInstance } from "@heddle/compiler";
import { Compiler } from "@heddle/compiler";
import type { Logger } from "@heddle/core";
import type { SourceFile, UnreadablePath } from "../sources/folder-scan.ts";
import { workloadIdentity } from "./node-authorization.ts";
import type { AcceptedStore } from "./accepted-store.ts";

export interface MeshConfigurationOptions {
  readonly store: AcceptedStore;
  /** In force since before this start. */
  readonly restored: readonly ParsedResource[];
  /** Hold for the life of the mesh: certificates and policies hang on them. A LocalMesh that wants others is refused. */
  readonly settings: MeshSettings;
  readonly logger: Logger;
  /** Something that proxies are told may have changed. */
  readonly onChange: () => void;
  /** A change of the files was judged: how many resources were taken, and what was refused that was not refused before. */
  readonly onJudged?: (passed: number, failed: readonly Finding[]) => void;
}

/**
 * What the mesh is configured with: the files as they were read, what of them is accepted, the registry of instances, and the
 * compiler over both. The one place where they meet.
 */
export class MeshConfiguration {
  readonly #options: MeshConfigurationOptions;
  #compiler = new Compiler();
  /** Files that did not change are not parsed again. */
  #parsed: ReadonlyMap<string, { readonly text: string; readonly file: ParsedFile }> = new Map();
  #hasFiles = false;
  #accepted: readonly ParsedResource[];
  #findings: readonly Finding[] = [];
  #broken: ReturnType<typeof acceptResources>["broken"] = [];
  #instances: ReadonlyMap<string, WorkloadInstance> | undefined;
  #areInstancesKnown = false;
  #version = 0;
  #problem: string | undefined;
  /** The newest version that compiled: what proxies are told. */
  #compiled:
    | {
        readonly version: number;
        readonly inputs: MeshInputs;
        readonly instances: ReadonlyMap<string, WorkloadInstance>;
      }
    | undefined;

  constructor(options: MeshConfigurationOptions) {
    this.#options = options;
    this.#accepted = options.restored;
  }

  /** Grows with every change that was taken, also when it does not compile; 0 before files and instances have been read. */
  get version(): number {
    return this.#version;
  }

  /** Why the present version could not be compiled for anybody; undefined when it could. */
  get problem(): string | undefined {
    return this.#problem;
  }

  get findings(): readonly Finding[] {
    return this.#findings;
  }

  get accepted(): readonly ParsedResource[] {
    return this.#accepted;
  }

  get instances(): ReadonlyMap<string, WorkloadInstance> {
    return this.#instances ?? new Map<string, WorkloadInstance>();
  }

  /** Whether an instance has the SPIFFE id; undefined as long as no list of instances could be read. */
  hasWorkload(identity: string): boolean | undefined {
    if (!this.#areInstancesKnown) return undefined;
    const { trustDomain } = this.#options.settings;
    return this.instances.values().some((instance) => workloadIdentity(instance, trustDomain) === identity);
  }

  /** What is still to be read before the first configuration can be given out. */
  get waitingFor(): string[] {
    return [
      ...(this.#hasFiles ? [] : ["the resource files"]),
      ...(this.#instances === undefined ? ["the list of instances"] : []),
      ...(this.#problem !== undefined && this.#compiled === undefined ? ["a configuration that compiles"] : []),
    ];
  }

  /**
   * What a proxy is told: of the newest version that compiled, and under that one's number. Undefined: no such version knows its
   * instance yet, or it is somebody else's by now. Throws what the compiler throws for this proxy alone.
   */
  resourcesFor(node: ProxyNode): { readonly version: number; readonly resources: ProxyResources } | undefined {
    if (this.#compiled === undefined) return undefined;
    const { version, instances } = this.#compiled;
    const [then, now] = [instances.get(node.instanceId), this.instances.get(node.instanceId)];
    // Registered in a version that did not compile: nothing at all is not what it should be told.
    if (then === undefined || now === undefined) return undefined;
    // Given to another in one: whoever proves to be that one may not have what was the former's.
    const { trustDomain } = this.#options.settings;
    if (workloadIdentity(then, trustDomain) !== workloadIdentity(now, trustDomain)) return undefined;
    return { version, resources: this.#compiler.resourcesFor(node) };
  }

  /** Takes the folder as it is now. */
  setFiles(files: readonly SourceFile[], unreadable: readonly UnreadablePath[]): void {
    const parsed = new Map<string, { readonly text: string; readonly file: ParsedFile }>();
    for (const { path, text } of files) {
      const before = this.#parsed.get(path);
      parsed.set(path, before?.text === text ? before : { text, file: parseFile(text, path) });
    }
    this.#parsed = parsed;
    const isFirst = !this.#hasFiles;
    this.#hasFiles = true;
    this.#accept(isFirst, [
      ...[...parsed.values()].map(({ file }) => file),
      // Unreadable is not deleted: what was accepted from there, out of a folder too, stays in force.
      ...unreadable.map(({ path, reason }) => unreadableFile(path, reason)),
    ]);
    this.#compile();
  }

  /** @param isKnown false when there is no list that could be read, so that what is not in it may be there all the same */
  setInstances(instances: readonly WorkloadInstance[], isKnown = true): void {
    this.#areInstancesKnown = isKnown;
    this.#instances = new Map(instances.map((instance) => [instance.id, instance]));
    this.#compile();
  }

  /** @param isFirst since the start: what is in force is said even if nothing has changed since it ran before */
  #accept(isFirst: boolean, files: readonly ParsedFile[]): void {
    const { logger, store, settings } = this.#options;
    const before = this.#accepted;
    const { accepted, findings, broken } = acceptResources(before, files, settings);
    const changes = describeChanges(before, accepted);
    this.#accepted = accepted;
    this.#broken = broken;
    this.#report(findings, files, changes.filter((change) => !change.startsWith("-")).length);
    this.#findings = findings;
    if (changes.length > 0 || (isFirst && accepted.length > 0))
      logger.info("configuration accepted", { resources: accepted.length, changed: changes });
    // Lines are kept, too: after a restart they say where a resource stands.
    if (accepted.length === before.length && accepted.every((resource, index) => resource === before[index])) return;
    void store.write(accepted).catch((error: unknown) => {
      logger.error(
        "the accepted resources could not be written; after a restart broken files have no earlier version",
        {
          error: error instanceof Error ? error.message : String(error),
        },
      );
    });
  }

  #compile(): void {
    if (!this.#hasFiles || this.#instances === undefined) return;
    this.#version += 1;
    const inputs: MeshInputs = {
      resources: this.#accepted,
      broken: this.#broken,
      instances: [...this.#instances.values()],
      settings: this.#options.settings,
    };
    try {
      this.#compiler.update(inputs);
    } catch (error) {
      // A fault of the compiler's. Whoever asks hears that nobody has this version.
      this.#problem = error instanceof Error ? error.message : String(error);
      this.#options.logger.error("the configuration could not be compiled; every proxy keeps the one it has", {
        error: this.#problem,
      });
      this.#returnToCompiled();
      // Who may be told anything has changed all the same.
      this.#options.onChange();
      return;
    }
    this.#problem = undefined;
    this.#compiled = { version: this.#version, inputs, instances: this.#instances };
    this.#options.onChange();
  }

  /** The compiler may have taken half of what it failed on: proxies that connect are told the whole of what was before. */
  #returnToCompiled(): void {
    this.#compiler = new Compiler();
    if (this.#compiled !== undefined) this.#compiler.update(this.#compiled.inputs);
  }

  /** Each finding is reported once, when it appears; what became of a resource again with each new error that it is due to. */
  #report(findings: readonly Finding[], files: readonly ParsedFile[], passed: number): void {
    const { logger, onJudged } = this.#options;
    const known = new Set(this.#findings.map(textOf));
    const fresh = findings.filter((finding) => !known.has(textOf(finding)));
    const wrong = new Set(fresh.filter(({ severity }) => severity === "error").flatMap(subjectsOf));
    const told = findings.filter(
      (finding) =>
        fresh.includes(finding) || (fates.has(finding.code) && subjectsOf(finding).some((one) => wrong.has(one))),
    );
    for (const finding of told) {
      const { severity, code, message, hint, resource } = finding;
      const name = resource === undefined ? undefined : describeIdentity(resource);
      const fields = { code, place: describePlace(finding), resource: name, message, hint };
      if (severity === "error") logger.error("resource rejected", fields);
      else logger.warn("resource finding", fields);
    }
    const present = new Set([
      ...files.map((file) => file.file),
      ...this.#accepted.map((resource) => describeIdentity(identityOf(resource))),
    ]);
    for (const resource of mendedSubjects(this.#findings, findings))
      if (present.has(resource)) logger.info("resource mended", { resource });
    onJudged?.(
      passed,
      fresh.filter(({ severity }) => severity === "error"),
    );
  }
}

/** What became of a resource with an error: an earlier version stays in force, or what it selects is denied. */
const fates: ReadonlySet<string> = new Set(["HDL0201", "HDL0202"]);

/** The resource of a finding and its file: of a text that cannot be taken apart there is only the file. */
function subjectsOf({ resource, file }: Finding): string[] {
  return [...(resource === undefined ? [] : [describeIdentity(resource)]), ...(file === undefined ? [] : [file])];
}

/** Resources, or files that could not be taken apart, that had errors and have none any more; some may be gone. */
function mendedSubjects(before: readonly Finding[], now: readonly Finding[]): string[] {
  const bad = new Set(now.filter(({ severity }) => severity === "error").map(subjectOf));
  const wereBad = new Set(before.filter(({ severity }) => severity === "error").map(subjectOf));
  return [...wereBad].filter((subject) => !bad.has(subject));
}

function subjectOf(finding: Finding): string {
  return finding.resource === undefined ? (finding.file ?? "") : describeIdentity(finding.resource);
}

function textOf(finding: Finding): string {
  return `${finding.code} ${describePlace(finding)} ${finding.message}`;
}

/**
 * Trust domain and root namespace, from the `LocalMesh` as it is written now, else as it was accepted before. Of several none is
 * accepted anew, so they change nothing.
 */
export function settingsOf(files: readonly ParsedFile[], accepted: readonly ParsedResource[]): MeshSettings {
  const written = files.flatMap((file) => file.resources).filter((resource) => resource.kind === "LocalMesh");
  const before = accepted.find((resource) => resource.kind === "LocalMesh");
  const mesh = written.length > 1 ? (before ?? written[0]) : (written[0] ?? before);
  return {
    trustDomain: mesh?.spec.trustDomain ?? localMeshDefaults.trustDomain,
    rootNamespace: mesh?.spec.rootNamespace ?? localMeshDefaults.rootNamespace,
  };
}

/** One line for each resource that came (+), changed (~) or went (-). One that only moved in its file did not change. */
function describeChanges(before: readonly ParsedResource[], after: readonly ParsedResource[]): string[] {
  const name = (resource: ParsedResource): string => describeIdentity(identityOf(resource));
  const old = new Map(before.map((resource) => [name(resource), resource]));
  const changes = after.flatMap((resource) => {
    const known = old.get(name(resource));
    old.delete(name(resource));
    if (known !== undefined && isSameContent(known, resource)) return [];
    return [known === undefined ? `+ ${name(resource)}` : `~ ${name(resource)}`];
  });
  return [...changes, ...[...old.keys()].map((gone) => `- ${gone}`)];
}
