/** A parser under `npm run fuzz`: a file `src/testing/fuzz/<name>.ts` of a package exports one as `target`. */
export interface FuzzTarget {
  /** What must hold, in a line. */
  readonly about: string;
  /** Inputs to begin with: well-formed ones reach deepest. */
  readonly seeds: readonly (Buffer | string)[];
  /** Pieces that random octets would hardly hit on: keywords, delimiters, magic numbers. */
  readonly dictionary: readonly (Buffer | string)[];
  /** Gives the input to the parser, and throws when what must hold does not. */
  run(input: Buffer): void;
}
