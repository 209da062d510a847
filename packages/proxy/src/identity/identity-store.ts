import { join } from "node:path";
import { type Clock, errorEntry, type Logger } from "@heddle/core";
import { moveAside, readStateFile, StateIsNewer, writeStateFile } from "@heddle/state";
import { type Identity, readIdentity } from "./identity.ts";

const fileName = "identity.state";
const stateName = "identity";
const formatVersion = 1;

/** Key and certificate in the state directory: a restarted proxy serves at once, with or without the authority. */
export class IdentityStore {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(stateDir: string, clock: Clock, logger: Logger) {
    this.#path = join(stateDir, fileName);
    this.#clock = clock;
    this.#logger = logger;
  }

  /** @throws StateIsNewer */
  async read(): Promise<Identity | undefined> {
    const content = await readStateFile(this.#path, stateName, formatVersion, this.#clock.wallMs());
    switch (content.kind) {
      case "absent":
        return undefined;
      case "newer":
        throw new StateIsNewer(this.#path, content.formatVersion, formatVersion);
      case "corrupt":
        return this.#report(content.reason, content.movedTo);
      case "read": {
        const parsed = parse(content.payload);
        if (parsed !== undefined) return parsed;
        const moved = await moveAside(this.#path, "it holds no certificate and key", this.#clock.wallMs());
        return moved.kind === "corrupt" ? this.#report(moved.reason, moved.movedTo) : undefined;
      }
    }
  }

  write(identity: Identity): Promise<void> {
    const { chainPem, privateKeyPem } = identity;
    const payload = Buffer.from(JSON.stringify({ chainPem, privateKeyPem: privateKeyPem.reveal() }));
    return writeStateFile(this.#path, stateName, formatVersion, payload);
  }

  #report(reason: string, movedTo: string): undefined {
    this.#logger.warn(errorEntry("state_file_corrupt").text, { file: this.#path, reason, movedTo });
    return undefined;
  }
}

function parse(payload: Buffer): Identity | undefined {
  let value: { chainPem?: unknown; privateKeyPem?: unknown };
  try {
    value = JSON.parse(payload.toString());
  } catch {
    // Whole by its checksum and yet not ours: reported by the caller.
    return undefined;
  }
  const { chainPem, privateKeyPem } = value;
  if (typeof chainPem !== "string" || typeof privateKeyPem !== "string") return undefined;
  return readIdentity(chainPem, privateKeyPem).identity;
}
