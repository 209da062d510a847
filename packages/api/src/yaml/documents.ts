import { LineCounter, parseAllDocuments } from "yaml";
import type { Document } from "yaml";
import type { LineTree } from "../line-tree.ts";
import { yamlErrors } from "@heddle/core";
import { findUnclosedFlow } from "./unclosed-flow.ts";
import { NodeReader } from "./node-reader.ts";
import type { PlainValue, YamlProblem } from "./plain-value.ts";

/** One document of a file. With a problem that is an error the value is a best effort: whatever could still be read. */
export interface YamlDocument {
  readonly line: number;
  readonly value: PlainValue;
  readonly lines: LineTree;
  readonly problems: readonly YamlProblem[];
  /** The document's own text, for what must be guessed when the value is not there. */
  readonly text: string;
}

/** Splits a text into its documents, without the empty ones. Never throws. */
export function readDocuments(text: string): YamlDocument[] {
  const counter = new LineCounter();
  let documents: readonly Document.Parsed[];
  try {
    const parsed = parseAllDocuments(text, {
      lineCounter: counter,
      prettyErrors: false,
      uniqueKeys: false,
      version: "1.2",
      logLevel: "error",
    });
    documents = Array.isArray(parsed) ? parsed : [];
  } catch {
    // The library tells of wrong input in its documents. Should it throw all the same, input must not end the process.
    return [{ line: 1, value: null, lines: { l: 1 }, problems: [notTakenApart(1)], text }];
  }
  return documents
    .map((document, index) =>
      readDocument(document, text.slice(document.range[0], documents[index + 1]?.range[0]), counter),
    )
    .filter((document) => !isEmpty(document));
}

function readDocument(document: Document.Parsed, ownText: string, counter: LineCounter): YamlDocument {
  const lineOf = (offset: number): number => Math.max(1, counter.linePos(offset).line);
  // Only the first: what the parser says after losing its way helps nobody.
  const [first] = [...document.errors, ...document.warnings];
  // Thousands of brackets are too deep for the library, closed or not.
  const unclosed =
    first === undefined || first.code === "RESOURCE_EXHAUSTION"
      ? undefined
      : describeUnclosed(ownText, document.range[0], lineOf);
  const problems: YamlProblem[] =
    first === undefined ? [] : [unclosed ?? describeYamlError(first.code, first.message, lineOf(first.pos[0]))];
  const contents = document.contents;
  const start = contents?.range[0] ?? document.range[0];
  const line = lineOf(start);
  if (contents === null) return { line, value: null, lines: { l: line }, problems, text: ownText };
  const reader = new NodeReader(lineOf);
  const { value, lines } = reader.read(contents, line);
  return { line, value, lines, problems: [...problems, ...reader.problems], text: ownText };
}

function isEmpty(document: YamlDocument): boolean {
  return document.value === null && document.problems.length === 0;
}

function notTakenApart(line: number): YamlProblem {
  return { code: "HDL0007", line, message: "The document is nested too deeply to be read." };
}

/** A bracket that is never closed is the cause of whatever else the parser says. */
function describeUnclosed(ownText: string, start: number, lineOf: (offset: number) => number): YamlProblem | undefined {
  const unclosed = findUnclosedFlow(ownText);
  if (unclosed === undefined) return undefined;
  const { offset, bracket } = unclosed;
  const closing = bracket === "[" ? "]" : "}";
  return {
    code: "HDL0001",
    line: lineOf(start + offset),
    message: `A "${bracket}" is opened here and never closed.`,
    hint: `Add the missing "${closing}", or quote the value if the bracket is part of it.`,
  };
}

/** In our own words; the library's message stays where it says more. */
function describeYamlError(code: string, message: string, line: number): YamlProblem {
  // The library descends by recursion: thousands of nested brackets end its stack.
  if (code === "RESOURCE_EXHAUSTION") return notTakenApart(line);
  const known = yamlErrors[code];
  if (known === undefined)
    return { code: "HDL0001", line, message: `The YAML cannot be read: ${firstSentence(message)}` };
  return { code: "HDL0001", line, ...known };
}

function firstSentence(message: string): string {
  const line = message.split("\n", 1)[0] ?? "";
  return line.endsWith(".") ? line : `${line}.`;
}
