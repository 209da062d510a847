/** How names of fields are written in HTTP/1.1. They mean the same in any case (RFC 9110 §5.1); some old peers do not know that. */
export interface HeaderNames {
  /** @param name in lower case */
  written(name: string): string;
}

const written = new Map<string, string>();
/** Names beyond these are formatted anew each time: what clients may choose must not fill memory. */
const maxWritten = 1024;

/** `Content-Type`: the first letter is upper-case, and each that follows what is no letter or digit (Envoy, `ProperCaseHeaderKeyFormatter`). */
export const properCaseWords: HeaderNames = {
  written(name) {
    const known = written.get(name);
    if (known !== undefined) return known;
    const words = name.replace(
      /(^|[^a-z0-9])([a-z])/g,
      (_, before: string, letter: string) => before + letter.toUpperCase(),
    );
    if (written.size < maxWritten) written.set(name, words);
    return words;
  },
};

/** The names of one message as they came; of several forms of one name the first (Envoy, `PreserveCaseHeaderFormatter`). */
export class KeptNames implements HeaderNames {
  readonly #byName = new Map<string, string>();
  readonly #others: HeaderNames | undefined;

  /** @param others how names are written that did not come with the message; undefined: in lower case */
  constructor(others: HeaderNames | undefined) {
    this.#others = others;
  }

  keep(name: string): void {
    const lower = name.toLowerCase();
    if (!this.#byName.has(lower)) this.#byName.set(lower, name);
  }

  written(name: string): string {
    return this.#byName.get(name) ?? this.#others?.written(name) ?? name;
  }
}

/** Whether the names of a message are kept as it is decoded, and how the others are written then. */
export type NameKeeping = "none" | "kept" | "kept-or-proper-words";

export function namesToKeep(keeping: NameKeeping): KeptNames | undefined {
  return keeping === "none" ? undefined : new KeptNames(keeping === "kept" ? undefined : properCaseWords);
}
