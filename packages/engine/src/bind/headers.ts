/**
 * The header collection that the engine reads and writes; `HeaderList` of `@heddle/http` has this shape. Names are
 * lower-case everywhere. Values are latin1 text: one code unit per byte on the wire.
 */
export interface MutableHeaders {
  readonly length: number;
  nameAt(index: number): string;
  valueAt(index: number): string;
  /** Several values joined with `,` as Envoy does, or undefined. */
  get(name: string): string | undefined;
  getAll(name: string): string[];
  has(name: string): boolean;
  /** Replaces every value. */
  set(name: string, value: string): void;
  append(name: string, value: string): void;
  /** Whether there was one. */
  remove(name: string): boolean;
  removePrefix(prefix: string): void;
}

/** A list that holds nothing and keeps nothing. */
export const noHeaders: MutableHeaders = Object.freeze({
  length: 0,
  nameAt: () => "",
  valueAt: () => "",
  get: () => undefined,
  getAll: () => [],
  has: () => false,
  set: () => {},
  append: () => {},
  remove: () => false,
  removePrefix: () => {},
});
