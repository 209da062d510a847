import type { Finding, ParsedFile, ParsedResource } from "@heddle/api";
import { acceptResources, describeIdentity, describePlace, identityOf, localMeshDefaults, parseFile, unreadableFile } from "@heddle/api";
import type { MeshSettings, ProxyNode, ProxyResources, WorkloadInstance } from "@heddle/compiler";
import { Compiler } from "@heddle/compiler";
import type { Logger } from "@heddle/core";
import type { FolderSnapshot, UnreadablePath } from "../sources/folder-source.ts";
import type { AcceptedStore } from "./accepted-store.ts";

export interface MeshConfigurationOptions {
  readonly store: AcceptedStore;
  /** In force since before this start. */
  readonly restored: readonly ParsedResource[];
  readonly logger: Logger;
  /** Something that proxies are told may have changed. */
  readonly onChange: () => void;
}

/**
 * What the mesh is configured with: the files as they were read, what of them is accepted, the registry of instances, and the
 * compiler over both. The one place where they meet.
 */
export class MeshConfiguration {
  readonly #options: MeshConfigurationOptions;
  readonly #compiler = new Compiler();
  /** Files that did not change are not parsed again. */
  #parsed = new Map<string, { readonly text: string; readonly file: ParsedFile }>();
  #files: readonly ParsedFile[] | undefined;
  #accepted: readonly ParsedResource[];
  #findings: readonly Finding[] = [];
  #broken: ReturnType<typeof acceptResources>["broken"] = [];
  #instances: ReadonlyMap<string, WorkloadInstance> | undefined;
  #settings: MeshSettings | undefined;
  #version = 0;

  constructor(options: MeshConfigurationOptions) {
    this.#options = options;
    this.#accepted = options.restored;
  }

  /** Grows with every change that was compiled; 0 before files and instances have been read. */
  get version(): number {
    return this.#version;
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

  /** What is still to be read before the first configuration can be given out. */
  get waitingFor(): string[] {
    return [...(this.#files === undefined ? ["the resource files"] : []), ...(this.#instances === undefined ? ["the list of instances"] : [])];
  }

  resourcesFor(node: ProxyNode): ProxyResources {
    return this.#compiler.resourcesFor(node);
  }

  /** Takes the folder as it is now. */
  setFiles(snapshot: FolderSnapshot, unreadable: readonly UnreadablePath[]): void {
    const parsed = new Map<string, { readonly text: string; readonly file: ParsedFile }>();
    for (const { path, text } of snapshot.files) {
      const before = this.#parsed.get(path);
      parsed.set(path, before?.text === text ? before : { text, file: parseFile(text, path) });
    }
    this.#parsed = parsed;
    this.#files = [...[...parsed.values()].map(({ file }) => file), ...unreadable.map(({ path, reason }) => unreadableFile(path, reason))];
    this.#accept(this.#files);
    this.#compile();
  }

  setInstances(instances: readonly WorkloadInstance[]): void {
    this.#instances = new Map(instances.map((instance) => [instance.id, instance]));
    this.#compile();
  }

  #accept(files: readonly ParsedFile[]): void {
    const { logger, store } = this.#options;
    // Trust domain and root namespace hold for the life of the process: certificates and policies hang on them.
    this.#settings ??= settingsOf(files, this.#accepted);
    const before = this.#accepted;
    const { accepted, findings, broken } = acceptResources(before, files, this.#settings);
    this.#accepted = accepted;
    this.#broken = broken;
    this.#reportNew(findings);
    this.#findings = findings;
    if (accepted.length === before.length && accepted.every((resource, index) => resource === before[index])) return;
    logger.info("configuration accepted", { resources: accepted.length, changed: describeChanges(before, accepted) });
    void store.write(accepted).catch((error: unknown) => {
      logger.error("the accepted resources could not be written; after a restart broken files have no earlier version", {
        error: error instanceof Error ? error.message : String(error),
      });
    });
  }

  #compile(): void {
    if (this.#files === undefined || this.#instances === undefined || this.#settings === undefined) return;
    this.#compiler.update({
      resources: this.#accepted,
      broken: this.#broken,
      instances: [...this.#instances.values()],
      settings: this.#settings,
    });
    this.#version += 1;
    this.#options.onChange();
  }

  /** Each finding is logged once, when it appears. */
  #reportNew(findings: readonly Finding[]): void {
    const known = new Set(this.#findings.map(textOf));
    for (const finding of findings) {
      if (known.has(textOf(finding))) continue;
      const fields = { code: finding.code, place: describePlace(finding), message: finding.message, hint: finding.hint };
      if (finding.severity === "error") this.#options.logger.error("resource rejected", fields);
      else this.#options.logger.warn("resource finding", fields);
    }
  }
}

function textOf(finding: Finding): string {
  return `${finding.code} ${describePlace(finding)} ${finding.message}`;
}

/** Trust domain and root namespace, from the `LocalMesh` as it is written now, else as it was accepted before. */
export function settingsOf(files: readonly ParsedFile[], accepted: readonly ParsedResource[]): MeshSettings {
  const resources = [...files.flatMap((file) => file.resources), ...accepted];
  const mesh = resources.find((resource) => resource.kind === "LocalMesh");
  return {
    trustDomain: mesh?.spec.trustDomain ?? localMeshDefaults.trustDomain,
    rootNamespace: mesh?.spec.rootNamespace ?? localMeshDefaults.rootNamespace,
  };
}

function describeChanges(before: readonly ParsedResource[], after: readonly ParsedResource[]): string[] {
  const name = (resource: ParsedResource): string => describeIdentity(identityOf(resource));
  const old = new Map(before.map((resource) => [name(resource), resource]));
  const changes = after.flatMap((resource) => {
    const known = old.get(name(resource));
    old.delete(name(resource));
    if (known === resource) return [];
    return [known === undefined ? `+ ${name(resource)}` : `~ ${name(resource)}`];
  });
  return [...changes, ...[...old.keys()].map((gone) => `- ${gone}`)];
}
