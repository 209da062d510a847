import { type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import type { Logger } from "@heddle/core";
import { applyDelta, emptySnapshot, type ListenerConfig } from "@heddle/engine";
import { type LoadProblem, missingClusters } from "@heddle/engine/load";
import {
  CLUSTER_TYPE,
  ENDPOINT_TYPE,
  LISTENER_TYPE,
  resourceSchemas,
  type ResourceType,
  ROUTE_TYPE,
  SECRET_TYPE,
} from "@heddle/xds/api";
import type { ReceivedResource, Rejection, ResourceUpdate } from "@heddle/xds/client";
import type { ListenerSocket } from "../worker/messages.ts";
import {
  ActiveConfiguration,
  type ActiveChange,
  type ResourceChange,
  type SourcedSecret,
} from "./active-configuration.ts";
import type { LastGood, StoredResource } from "./last-good.ts";
import { digestTlsFiles, loadResource, mergeChanges, removal, type TlsFileDigests } from "./resource-loader.ts";
import type { ListeningSocket, SocketBroker } from "./socket-broker.ts";
import { tlsMaterialProblem } from "./tls-material.ts";
import type { WorkerPool } from "./worker-pool.ts";

/** A resource in force, for `/config_dump` and for the last good state: as bytes, of which a message takes many times more. */
export interface HeldResource {
  readonly type: ResourceType;
  readonly name: string;
  readonly version: string;
  readonly value: Uint8Array;
  readonly updatedAtMs: number;
  readonly inlineSecrets: readonly SourcedSecret[];
  readonly tlsFiles: TlsFileDigests;
}

/** What became of a cluster whose files of TLS have changed. */
export interface TlsFileReload {
  readonly cluster: string;
  /** Those that have changed. */
  readonly files: readonly string[];
  /** undefined: what they hold is in force. */
  readonly problem: string | undefined;
}

/** What is referred to before what refers to it, for resources that are all there at once. */
const restoreOrder: readonly ResourceType[] = [SECRET_TYPE, CLUSTER_TYPE, ENDPOINT_TYPE, ROUTE_TYPE, LISTENER_TYPE];

type NewResource = Pick<HeldResource, "type" | "name" | "version" | "value"> & { readonly message: Message };

/** The last version of a resource that was refused. */
export interface RefusedResource {
  readonly version: string;
  readonly reason: string;
  readonly atMs: number;
}

/**
 * Everything that this proxy is configured with. Static resources, those of the control plane and those of an earlier run
 * take one way: loaded, bound once here so that nothing unusable reaches a worker, then put in force at every worker.
 * Changes are made one after the other.
 */
export class Configuration {
  readonly #logger: Logger;
  readonly #broker: SocketBroker;
  readonly #lastGood: LastGood | undefined;
  readonly #active = new ActiveConfiguration();
  readonly #static = new Map<string, HeldResource>();
  readonly #dynamic = new Map<string, HeldResource>();
  readonly #refused = new Map<string, RefusedResource>();
  /** What the files of a resource held that could not be used. */
  readonly #refusedFiles = new Map<string, string>();
  /** Resources that are held and that some worker could not take: the same again is no repetition for it. */
  readonly #untaken = new Set<string>();
  /** Files of a resource that could be used, and that a worker did not take: they are tried again, changed or not. */
  readonly #untakenFiles = new Map<string, readonly string[]>();
  /** Bound sockets by listener. */
  readonly #sockets = new Map<string, readonly ListeningSocket[]>();
  #pool: WorkerPool | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  #onChange: () => void = () => {};

  constructor(broker: SocketBroker, lastGood: LastGood | undefined, logger: Logger) {
    this.#broker = broker;
    this.#lastGood = lastGood;
    this.#logger = logger;
  }

  get active(): ActiveConfiguration {
    return this.#active;
  }

  /** Static resources first. */
  *held(): Iterable<HeldResource & { readonly isStatic: boolean }> {
    for (const resource of this.#static.values()) yield { ...resource, isStatic: true };
    for (const resource of this.#dynamic.values()) yield { ...resource, isStatic: false };
  }

  refused(type: ResourceType, name: string): RefusedResource | undefined {
    return this.#refused.get(keyOf(type, name));
  }

  /** Where the listeners in force are bound. */
  listeners(): { name: string; sockets: readonly ListeningSocket[] }[] {
    return [...this.#active.listeners.keys()].map((name) => ({ name, sockets: this.#sockets.get(name) ?? [] }));
  }

  /** Called after each change that was put in force. */
  onChange(listener: () => void): void {
    this.#onChange = listener;
  }

  /** What a worker needs that starts now. */
  everything(): { change: ActiveChange; sockets: ListenerSocket[] } {
    return { change: this.#active.everything(), sockets: this.#socketsOf(this.#active.listeners.values()) };
  }

  /** Before `giveUpSockets`: what has connected can still be accepted, and nothing comes after it. */
  beginNoConnections(): void {
    for (const sockets of this.#sockets.values()) for (const socket of sockets) socket.beginNoConnections();
  }

  /** Stops listening for good: whoever connects from now on is refused, as soon as the workers have closed their own descriptors. */
  giveUpSockets(): void {
    for (const sockets of this.#sockets.values()) for (const socket of sockets) socket.giveUp();
    this.#sockets.clear();
  }

  /** From now on changes go to these workers. */
  connect(pool: WorkerPool): void {
    this.#pool = pool;
  }

  /** Puts the bootstrap's resources in force. They were loaded once already, so what fails here is a port. */
  applyStatic(resources: readonly { type: ResourceType; name: string; message: Message }[]): Promise<Rejection[]> {
    return this.#inTurn(() =>
      this.#apply(
        resources.map((resource) => ({
          ...resource,
          version: "",
          value: bytesOf(resource),
        })),
        "static",
      ),
    );
  }

  /** Puts an update of the control plane in force as far as it is usable, and names what is not. */
  applyUpdate(update: ResourceUpdate): Promise<{ rejected: Rejection[] }> {
    return this.#inTurn(async () => {
      const type = update.type as ResourceType;
      const added = update.added.map(
        ({ name, version, message, resource }): NewResource => ({
          type,
          name,
          version,
          message,
          value: resource.value,
        }),
      );
      const rejected = await this.#apply(added, "ads", { type, names: this.#removedBy(update, type) });
      await this.#forgetUnreferenced();
      this.#save();
      return { rejected };
    });
  }

  /** Puts in force what an earlier run had accepted; returns it for the client to tell the control plane. */
  restore(resources: readonly (ReceivedResource & { type: ResourceType })[]): Promise<Rejection[]> {
    // What is referred to first, whatever the order in which it was stored.
    const ordered = resources.toSorted(
      (one, other) => restoreOrder.indexOf(one.type) - restoreOrder.indexOf(other.type),
    );
    return this.#inTurn(() =>
      this.#apply(
        ordered.map(({ type, name, version, message, resource }) => ({
          type,
          name,
          version,
          message,
          value: resource.value,
        })),
        "ads",
      ),
    );
  }

  /** Paths of the files of TLS that clusters of the control plane name. */
  tlsFiles(): ReadonlySet<string> {
    return new Set([...this.#dynamic.values()].flatMap(({ tlsFiles }) => [...tlsFiles.keys()]));
  }

  /** Puts in force what those files hold now, where that is something else and can be used; each state that cannot is told once. */
  reloadTlsFiles(): Promise<TlsFileReload[]> {
    return this.#inTurn(async () => {
      const reloads: TlsFileReload[] = [];
      for (const held of this.#dynamic.values()) {
        if (held.tlsFiles.size === 0) continue;
        const reload = await this.#reload(held);
        if (reload !== undefined) reloads.push(reload);
      }
      return reloads;
    });
  }

  async #reload({ type, name, version, value, tlsFiles }: HeldResource): Promise<TlsFileReload | undefined> {
    const now = digestTlsFiles(tlsFiles.keys());
    const key = keyOf(type, name);
    const changed = [...tlsFiles.keys()].filter((path) => tlsFiles.get(path) !== now.get(path));
    const files = changed.length === 0 ? (this.#untakenFiles.get(key) ?? []) : changed;
    const state = [...now.values()].join(" ");
    if (files.length === 0 || this.#refusedFiles.get(key) === state) {
      if (files.length === 0) this.#refusedFiles.delete(key);
      return undefined;
    }
    const message = fromBinary(resourceSchemas[type] as DescMessage, value);
    const loaded = loadResource(type, message, "ads");
    const cluster = loaded.change?.clusters?.set[0];
    const problem =
      loaded.change === undefined
        ? describeProblems(loaded.problems)
        : cluster && tlsMaterialProblem(cluster, loaded.inlineSecrets);
    if (problem === undefined) {
      this.#refusedFiles.delete(key);
      // Also when this throws.
      this.#untakenFiles.set(key, files);
      const [rejection] = await this.#apply([{ type, name, version, value, message }], "ads");
      if (rejection === undefined) this.#untakenFiles.delete(key);
      return { cluster: name, files, problem: rejection?.error };
    }
    this.#refusedFiles.set(key, state);
    return { cluster: name, files, problem };
  }

  /** Sets a secret of this proxy's own. Resolves when every worker uses it. */
  async setSecret(secret: SourcedSecret): Promise<void> {
    await this.#inTurn(() => this.#putInForce({ secrets: { set: [secret], remove: [] } }));
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(action);
    // The caller sees the failure; the next one in turn must not.
    this.#tail = result.catch(() => {});
    return result;
  }

  /** What is gone, of what is held: a resource that arrived and could not be read is neither, and its old version stays. */
  #removedBy(update: ResourceUpdate, type: ResourceType): string[] {
    return update.removed.filter((name) => this.#dynamic.has(keyOf(type, name)));
  }

  async #apply(
    added: readonly NewResource[],
    source: "ads" | "static",
    removed?: { readonly type: ResourceType; readonly names: readonly string[] },
  ): Promise<Rejection[]> {
    const rejected: Rejection[] = [];
    const changes: ResourceChange[] = [];
    const accepted: HeldResource[] = [];
    // As in Envoy, a listener that comes may take over the socket of one that goes.
    const freeSockets = (removed?.names ?? []).flatMap((name) => this.#release(removed?.type, name));
    const held = source === "static" ? this.#static : this.#dynamic;
    let isRepetition = false;
    for (const resource of added) {
      const key = keyOf(resource.type, resource.name);
      const known = held.get(key);
      const isUntaken = this.#untaken.has(key);
      isRepetition ||= isUntaken;
      // In state of the world whatever changes brings all others. As in Envoy, what is the same as before is no change, and its connections stay.
      if (known !== undefined && !isUntaken && isSame(known, resource)) {
        accepted.push({ ...known, version: resource.version });
        continue;
      }
      const reason = this.#accept(resource, source, changes, accepted, freeSockets);
      if (reason === undefined) continue;
      rejected.push({ name: resource.name, error: reason });
      this.#refused.set(keyOf(resource.type, resource.name), { version: resource.version, reason, atMs: Date.now() });
    }
    if (removed !== undefined) {
      for (const name of removed.names) changes.push(...this.#forget(removed.type, name, source));
    }
    for (const resource of accepted) {
      const key = keyOf(resource.type, resource.name);
      changes.push(inlineChange(held.get(key)?.inlineSecrets ?? [], resource.inlineSecrets));
      held.set(key, resource);
      this.#refused.delete(key);
      this.#untaken.add(key);
    }
    const problem = await this.#putInForce(mergeChanges(changes), isRepetition);
    if (problem === undefined) for (const { type, name } of accepted) this.#untaken.delete(keyOf(type, name));
    if (problem !== undefined) rejected.push({ name: added[0]?.name ?? "", error: problem });
    // Only now that no worker listens on them.
    for (const socket of freeSockets) socket.close();
    return rejected;
  }

  /** Why the resource cannot be used; undefined: it is among the accepted. */
  #accept(
    resource: NewResource,
    source: "ads" | "static",
    changes: ResourceChange[],
    accepted: HeldResource[],
    freeSockets: ListeningSocket[],
  ): string | undefined {
    const { type, name, version, value, message } = resource;
    if (source === "ads" && this.#static.has(keyOf(type, name)))
      return "a static resource has this name, and static ones win";
    const loaded = loadResource(type, message, source);
    if (loaded.change === undefined) return describeProblems(loaded.problems);
    const missing = missingClusters(
      loaded.requiredClusters,
      (cluster) => this.#active.hasCluster(cluster) || changes.some((change) => setsCluster(change, cluster)),
    );
    if (missing.length > 0) return describeProblems(missing);
    const problem = this.#tryToBind(loaded.change);
    if (problem !== undefined) return problem;
    const listener = loaded.change.listeners?.set[0];
    if (listener !== undefined) {
      const bound = this.#bindSockets(listener, freeSockets);
      if (typeof bound === "string") return bound;
      freeSockets.push(...(this.#sockets.get(name) ?? []).filter((socket) => !bound.includes(socket)));
      this.#sockets.set(name, bound);
    }
    changes.push(loaded.change);
    // Bytes of its own: these are a part of all that came with it, and `slice` of a Buffer copies nothing.
    accepted.push({
      type,
      name,
      version,
      value: new Uint8Array(value),
      updatedAtMs: Date.now(),
      inlineSecrets: loaded.inlineSecrets,
      tlsFiles: loaded.tlsFiles,
    });
    return undefined;
  }

  /** Binds the resource as a worker will, alone and for nothing: what throws here would have stopped one. */
  #tryToBind(change: ResourceChange): string | undefined {
    const { secrets: _secrets, ...delta } = change;
    try {
      applyDelta(emptySnapshot, delta);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  /**
   * The sockets of a listener: those that it has already, free ones, which are free no longer, and new ones. A reason when one cannot
   * be had.
   */
  #bindSockets(listener: ListenerConfig, free: ListeningSocket[]): readonly ListeningSocket[] | string {
    if (!listener.bindToPort) return [];
    const present = this.#sockets.get(listener.name) ?? [];
    const bound: ListeningSocket[] = [];
    const opened: ListeningSocket[] = [];
    for (const { host, port } of listener.addresses) {
      const isHere = ({ wanted }: ListeningSocket): boolean => wanted.host === host && wanted.port === port;
      const known = present.find(isHere) ?? (port === 0 ? undefined : free.find(isHere));
      if (known !== undefined) {
        bound.push(known);
        continue;
      }
      const result = this.#broker.bind(listener.name, host, port);
      if (result.socket === undefined) {
        for (const socket of opened) socket.close();
        return result.message;
      }
      opened.push(result.socket);
      bound.push(result.socket);
    }
    for (const socket of bound) if (free.includes(socket)) free.splice(free.indexOf(socket), 1);
    return bound;
  }

  #release(type: ResourceType | undefined, name: string): readonly ListeningSocket[] {
    if (type !== LISTENER_TYPE) return [];
    const sockets = this.#sockets.get(name) ?? [];
    this.#sockets.delete(name);
    return sockets;
  }

  #forget(type: ResourceType, name: string, source: "ads" | "static"): ResourceChange[] {
    const key = keyOf(type, name);
    const held = this.#dynamic.get(key);
    this.#dynamic.delete(key);
    this.#refused.delete(key);
    this.#refusedFiles.delete(key);
    this.#untakenFiles.delete(key);
    const change = removal(type, name, source);
    return held === undefined ? [change] : [change, inlineChange(held.inlineSecrets, [])];
  }

  /**
   * Forgets endpoints, routes and secrets that nothing refers to any more, neither what serves nor what warms. They would come
   * again as new if they were asked for; kept, they would serve then before they are, and a key would stay on disk for nobody.
   */
  async #forgetUnreferenced(): Promise<void> {
    const references = this.#active.references();
    const unreferenced = [...this.#dynamic.values()].filter(({ type, name }) => references[type]?.has(name) === false);
    if (unreferenced.length === 0) return;
    await this.#putInForce(mergeChanges(unreferenced.flatMap(({ type, name }) => this.#forget(type, name, "ads"))));
  }

  /** Resolves when every worker serves it, with the first thing that one of them could not do. */
  async #putInForce(change: ResourceChange, isRepetition = false): Promise<string | undefined> {
    const active = this.#active.apply(change, isRepetition);
    const hasSecrets = active.secrets.set.length + active.secrets.remove.length > 0;
    let problem: string | undefined;
    if (Object.keys(active.delta).length > 0 || hasSecrets) {
      problem = await this.#pool?.configure(active, this.#socketsOf(active.delta.listeners?.set ?? []));
      if (problem !== undefined) this.#logger.error("a worker could not take a configuration", { problem });
    }
    this.#onChange();
    return problem;
  }

  #socketsOf(listeners: Iterable<ListenerConfig>): ListenerSocket[] {
    return [...listeners].flatMap(({ name }) =>
      (this.#sockets.get(name) ?? []).map(({ id, fd, host, port }) => ({ listener: name, host, port, id, fd })),
    );
  }

  #save(): void {
    this.#lastGood?.save(() =>
      [...this.#dynamic.values()].map(
        ({ type, name, version, value }): StoredResource => ({ typeUrl: type, name, version, value }),
      ),
    );
  }
}

function keyOf(type: ResourceType, name: string): string {
  return `${type} ${name}`;
}

function isSame(held: HeldResource, { value }: NewResource): boolean {
  if (Buffer.compare(held.value, value) !== 0) return false;
  const now = digestTlsFiles(held.tlsFiles.keys());
  return [...held.tlsFiles].every(([path, digest]) => now.get(path) === digest);
}

function describeProblems(problems: readonly LoadProblem[]): string {
  return problems.map(({ path, message }) => `${path}: ${message}`).join("; ");
}

function setsCluster(change: ResourceChange, name: string): boolean {
  return change.clusters?.set.some((cluster) => cluster.name === name) ?? false;
}

/** Secrets written inside a resource come and go with it. */
function inlineChange(before: readonly SourcedSecret[], after: readonly SourcedSecret[]): ResourceChange {
  const kept = new Set(after.map(({ secret }) => secret.name));
  const remove = before
    .filter(({ secret }) => !kept.has(secret.name))
    .map(({ source, secret }) => ({ source, name: secret.name }));
  return after.length + remove.length === 0 ? {} : { secrets: { set: after, remove } };
}

function bytesOf({ type, message }: Pick<NewResource, "type" | "message">): Uint8Array {
  const schema: DescMessage = resourceSchemas[type];
  return toBinary(schema, message);
}
