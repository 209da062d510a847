import { join } from "node:path";
import { type Clock, errorEntry, type Logger } from "@heddle/core";
import { moveAside, readStateFile, StateIsNewer, writeStateFile } from "@heddle/state";

const fileName = "resources.state";
const stateName = "resources";
const formatVersion = 1;

/** A resource as the control plane sent it. */
export interface StoredResource {
  readonly typeUrl: string;
  readonly name: string;
  readonly version: string;
  /** The serialised message. */
  readonly value: Uint8Array;
}

/**
 * The last good configuration on disk: what the control plane sent and this proxy accepted. It serves at once after a
 * restart, whether or not the control plane is there. One write at a time; changes that come meanwhile go into the next.
 */
export class LastGood {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #latest: (() => readonly StoredResource[]) | undefined;
  #writing: Promise<void> | undefined;

  constructor(stateDir: string, clock: Clock, logger: Logger) {
    this.#path = join(stateDir, fileName);
    this.#clock = clock;
    this.#logger = logger;
  }

  /** @throws StateIsNewer */
  async read(): Promise<StoredResource[]> {
    const content = await readStateFile(this.#path, stateName, formatVersion, this.#clock.wallMs());
    if (content.kind === "newer") throw new StateIsNewer(this.#path, content.formatVersion, formatVersion);
    if (content.kind === "absent") return [];
    if (content.kind === "read") {
      const resources = parse(content.payload);
      if (resources !== undefined) return resources;
    }
    const moved =
      content.kind === "corrupt" ? content : await moveAside(this.#path, "it holds no resources", this.#clock.wallMs());
    if (moved.kind === "corrupt") {
      this.#logger.warn(errorEntry("state_file_corrupt").text, {
        file: this.#path,
        reason: moved.reason,
        movedTo: moved.movedTo,
      });
    }
    return [];
  }

  /** Writes what `resources` gives when its turn comes. A full disk is reported and does not stop the proxy. */
  save(resources: () => readonly StoredResource[]): void {
    this.#latest = resources;
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Resolves when everything given to `save` so far is on disk. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#latest !== undefined) {
      const resources = this.#latest();
      this.#latest = undefined;
      try {
        await writeStateFile(this.#path, stateName, formatVersion, serialise(resources));
      } catch (error) {
        this.#logger.error("the last good configuration could not be written", { file: this.#path, error });
      }
    }
  }
}

function serialise(resources: readonly StoredResource[]): Buffer {
  const lines = resources.map(({ typeUrl, name, version, value }) =>
    JSON.stringify({
      typeUrl,
      name,
      version,
      value: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64"),
    }),
  );
  return Buffer.from(lines.join("\n"));
}

function parse(payload: Buffer): StoredResource[] | undefined {
  const resources: StoredResource[] = [];
  for (const line of payload.toString().split("\n")) {
    if (line === "") continue;
    let record: Record<string, unknown>;
    try {
      record = JSON.parse(line);
    } catch {
      // Whole by its checksum and yet not ours: the caller moves it aside.
      return undefined;
    }
    const { typeUrl, name, version, value } = record;
    if (
      typeof typeUrl !== "string" ||
      typeof name !== "string" ||
      typeof version !== "string" ||
      typeof value !== "string"
    )
      return undefined;
    resources.push({ typeUrl, name, version, value: Buffer.from(value, "base64") });
  }
  return resources;
}
