const redacted = "[redacted]";

/**
 * A value that must not reach a log, a dump or an error message: every way of printing it gives "[redacted]".
 * It does not hide the value from code: `reveal()` is the one place to search for when reviewing who reads secrets.
 * A Secret does not survive structuredClone; reveal it at the border and wrap it again on the other side.
 */
export class Secret<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  [Symbol.toPrimitive](): string {
    return redacted;
  }

  /** What `util.inspect` and so `console.log` print; the symbol is registered globally, so no import of node:util. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return redacted;
  }
}
