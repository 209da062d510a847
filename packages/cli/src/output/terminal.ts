import { stripVTControlCharacters, styleText } from "node:util";

/** A stream that people or programs read. */
export interface OutputStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

export type Style = "red" | "green" | "yellow" | "blue" | "magenta" | "cyan" | "dim" | "bold";
export type Paint = (style: Style | readonly Style[], text: string) => string;

/** Colour only on a terminal, and never with NO_COLOR (no-color.org: set and not empty). */
export function hasColour(stream: OutputStream, env: NodeJS.ProcessEnv = process.env): boolean {
  return stream.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
}

/** Paints for one stream: a function that changes nothing where there is no colour. */
export function paintFor(stream: OutputStream, env: NodeJS.ProcessEnv = process.env): Paint {
  if (!hasColour(stream, env)) return (_style, text) => text;
  // The decision is made above: styleText's own look at FORCE_COLOR would win over NO_COLOR.
  return (style, text) => styleText(style, text, { validateStream: false });
}

/** Columns that a text takes, escape sequences not counted. */
export function widthOf(text: string): number {
  return Array.from(stripVTControlCharacters(text)).length;
}
