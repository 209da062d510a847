import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Clock } from "@heddle/core";
import { moveAside, prepareStateDirectory, readStateFile, StateIsNewer, writeStateFile } from "@heddle/state";
import type { StateFileContent } from "@heddle/state";

const stateName = "join-tokens";
const stateVersion = 1;
/** Enough for every replica of a large mesh to join at once; past it `create` refuses until some expire. */
const maxTokens = 10_000;

interface StoredToken {
  readonly hash: string;
  readonly identity: string;
  readonly expiresAtMs: number;
  usesLeft: number;
}

export interface JoinTokenRequest {
  /** The SPIFFE id that the bearer may have. */
  readonly identity: string;
  /** How many certificates it is good for. */
  readonly uses: number;
  readonly lifeMs: number;
}

export type Redemption =
  | {
      readonly ok: true;
      /** Writes down that the use was taken. */
      readonly commit: () => Promise<void>;
      /** Gives the use back: nothing was had for it. */
      readonly giveBack: () => void;
    }
  | { readonly ok: false; readonly code: "join_token_unknown" | "join_token_used" | "join_token_expired" }
  /** The token is good, but for another identity; no use was taken. */
  | { readonly ok: false; readonly code: "other_identity"; readonly identity: string };

/** There are as many tokens as there may be. */
export class TooManyTokens extends Error {}

/**
 * Join tokens: the proof with which a workload gets its first certificate. Kept as SHA-256 hashes only, so that the
 * file tells nobody a token; each has an identity, a number of uses and an end.
 */
export class JoinTokens {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #tokens: Map<string, StoredToken>;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, clock: Clock, tokens: Map<string, StoredToken>) {
    this.#path = path;
    this.#clock = clock;
    this.#tokens = tokens;
  }

  /** Opens the tokens of a state directory. A file that cannot be read is moved aside and reported: its tokens are void. */
  static async open(directory: string, clock: Clock): Promise<{ tokens: JoinTokens; problem: string | undefined }> {
    prepareStateDirectory(directory);
    const path = join(directory, "join-tokens.state");
    const now = clock.wallMs();
    let content: StateFileContent = await readStateFile(path, stateName, stateVersion, now);
    if (content.kind === "newer") throw new StateIsNewer(path, content.formatVersion, stateVersion);
    const stored = content.kind === "read" ? parseTokens(content.payload) : [];
    if (stored === undefined) content = await moveAside(path, "it is not a list of tokens", now);
    const problem = content.kind === "corrupt" ? `${content.reason}; moved to ${content.movedTo}` : undefined;
    return {
      tokens: new JoinTokens(path, clock, new Map((stored ?? []).map((token) => [token.hash, token]))),
      problem: problem === undefined ? undefined : `${path}: ${problem}; tokens given out before are void`,
    };
  }

  /** Makes a token and returns its text, the only time that it can be read. Rejects with `TooManyTokens` at the limit. */
  async create(request: JoinTokenRequest): Promise<string> {
    this.#dropExpired();
    if (this.#tokens.size >= maxTokens) throw new TooManyTokens(`there are ${maxTokens} join tokens already`);
    const token = `heddle-join-${randomBytes(32).toString("base64url")}`;
    const hash = hashOf(token);
    this.#tokens.set(hash, {
      hash,
      identity: request.identity,
      expiresAtMs: this.#clock.wallMs() + request.lifeMs,
      usesLeft: request.uses,
    });
    try {
      await this.#save();
    } catch (error) {
      this.#tokens.delete(hash);
      throw error;
    }
    return token;
  }

  /**
   * Takes one use of a token for an identity. The use counts at once, so that two requests cannot share it; `commit`
   * writes that down when the certificate was signed.
   */
  redeem(token: string, identity: string): Redemption {
    // Looked up by its hash: how far a wrong token matches shows nowhere in the time.
    const found = this.#tokens.get(hashOf(token));
    if (found === undefined) return { ok: false, code: "join_token_unknown" };
    if (found.expiresAtMs <= this.#clock.wallMs()) return { ok: false, code: "join_token_expired" };
    if (found.usesLeft <= 0) return { ok: false, code: "join_token_used" };
    if (found.identity !== identity) return { ok: false, code: "other_identity", identity: found.identity };
    found.usesLeft -= 1;
    return {
      ok: true,
      commit: () => this.#save(),
      giveBack: () => {
        found.usesLeft += 1;
      },
    };
  }

  /** Used tokens are kept until they expire: whoever presents one learns that it was used, not that it never was. */
  #dropExpired(): void {
    const now = this.#clock.wallMs();
    for (const [hash, token] of this.#tokens) if (token.expiresAtMs <= now) this.#tokens.delete(hash);
  }

  #save(): Promise<void> {
    const write = (): Promise<void> =>
      writeStateFile(this.#path, stateName, stateVersion, Buffer.from(JSON.stringify([...this.#tokens.values()])));
    // One write after the other, also when one fails: each holds the newest state, so the last one wins.
    this.#writing = this.#writing.then(write, write);
    return this.#writing;
  }
}

function parseTokens(payload: Buffer): StoredToken[] | undefined {
  try {
    const value = JSON.parse(payload.toString("utf8")) as unknown;
    return Array.isArray(value) && value.every(isToken) ? value : undefined;
  } catch {
    // Not JSON under a good checksum: the caller moves it aside.
    return undefined;
  }
}

function isToken(value: unknown): value is StoredToken {
  if (typeof value !== "object" || value === null) return false;
  const { hash, identity, expiresAtMs, usesLeft } = value as Readonly<Record<keyof StoredToken, unknown>>;
  return (
    typeof hash === "string" &&
    typeof identity === "string" &&
    typeof expiresAtMs === "number" &&
    typeof usesLeft === "number"
  );
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
