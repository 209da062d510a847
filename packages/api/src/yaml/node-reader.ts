import { isAlias, isMap, isScalar, isSeq, Scalar } from "yaml";
import type { Pair, YAMLMap, YAMLSeq } from "yaml";
import type { LineTree } from "../line-tree.ts";
import type { PlainValue, YamlProblem } from "./plain-value.ts";

/** Aliases may repeat a block; unfolded to more nodes than this a document is a bomb, not a configuration. */
const maxNodes = 100_000;
/** Deeper than any resource, and far from the end of the stack. */
const maxDepth = 64;
const yaml11Boolean = /^(?:yes|no|on|off)$/i;

export interface ReadNode {
  readonly value: PlainValue;
  readonly lines: LineTree;
}

/**
 * Turns the YAML library's nodes into plain values and, in the same walk, into the tree of their lines. Aliases and merge
 * keys (`<<`) are unfolded and keep the lines where their text stands. Keys are text, whatever YAML type they look like.
 */
export class NodeReader {
  readonly problems: YamlProblem[] = [];
  readonly #lineOf: (offset: number) => number;
  readonly #anchors = new Map<string, unknown>();
  #nodes = 0;
  #hasOverflowed = false;
  #depth = 0;

  constructor(lineOf: (offset: number) => number) {
    this.#lineOf = lineOf;
  }

  read(node: unknown, line: number): ReadNode {
    this.#nodes += 1;
    if (this.#nodes > maxNodes || this.#depth >= maxDepth) return this.#overflow(line);
    this.#depth += 1;
    const result = this.#readNode(node, line);
    this.#depth -= 1;
    return result;
  }

  #readNode(node: unknown, line: number): ReadNode {
    if (isAlias(node)) return this.#readAlias(node.source, line);
    this.#rememberAnchor(node);
    if (isMap(node)) return this.#readMap(node, line);
    if (isSeq(node)) return this.#readList(node, line);
    if (isScalar(node)) return this.#readScalar(node, line);
    return { value: null, lines: { l: line } };
  }

  #rememberAnchor(node: unknown): void {
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined)
      this.#anchors.set(node.anchor, node);
  }

  #readAlias(anchor: string, line: number): ReadNode {
    const target = this.#anchors.get(anchor);
    // An alias inside its own anchor ends at the depth limit.
    if (target !== undefined) return this.read(target, line);
    this.problems.push({
      code: "HDL0001",
      line,
      message: `The alias *${anchor} refers to an anchor that does not stand before it.`,
      hint: `Define &${anchor} above its first use in the same document, or quote the value if the * is meant as text.`,
    });
    return { value: null, lines: { l: line } };
  }

  #readScalar(node: Scalar, line: number): ReadNode {
    const value = node.value;
    const lines = { l: line };
    if (node.type === Scalar.PLAIN && typeof value === "string" && yaml11Boolean.test(value)) {
      this.problems.push({
        code: "HDL0035",
        line,
        message: `The unquoted word ${value} is text here, but true or false for Kubernetes.`,
      });
    }
    if (typeof value === "string" || typeof value === "boolean" || value === null) return { value, lines };
    if (typeof value === "number")
      return { value: Number.isFinite(value) ? value : (node.source ?? String(value)), lines };
    return { value: node.source ?? "", lines };
  }

  #readList(node: YAMLSeq, line: number): ReadNode {
    const values: PlainValue[] = [];
    const children: [string, LineTree][] = [];
    for (const item of node.items) {
      const read = this.read(item, this.#lineOfNode(item, line));
      children.push([String(values.length), read.lines]);
      values.push(read.value);
    }
    return { value: values, lines: { l: line, c: Object.fromEntries(children) } };
  }

  #readMap(node: YAMLMap, line: number): ReadNode {
    const own = new Map<string, ReadNode>();
    const merged = new Map<string, ReadNode>();
    for (const pair of node.items) {
      const keyLine = this.#lineOfNode(pair.key, line);
      if (isMergeKey(pair)) this.#merge(pair.value, keyLine, merged);
      else this.#readPair(pair, keyLine, own);
    }
    for (const [key, read] of merged) if (!own.has(key)) own.set(key, read);
    const entries = [...own];
    // fromEntries defines properties and never runs a setter, so a key named __proto__ is a key like any other.
    return {
      value: Object.fromEntries(entries.map(([key, read]) => [key, read.value])),
      lines: { l: line, c: Object.fromEntries(entries.map(([key, read]) => [key, read.lines])) },
    };
  }

  #readPair(pair: Pair, line: number, into: Map<string, ReadNode>): void {
    const key = this.#keyText(pair.key);
    if (key === undefined) {
      this.problems.push({
        code: "HDL0001",
        line,
        message: "A key is not plain text.",
        hint: "Write keys as single words or quoted text.",
      });
      return;
    }
    const first = into.get(key);
    const read = this.read(pair.value, line);
    if (first === undefined) into.set(key, read);
    else
      this.problems.push({
        code: "HDL0002",
        line,
        message: `The key ${JSON.stringify(key)} is written twice; it stands on line ${first.lines.l} already.`,
      });
  }

  /** The text of a key: as written when it is plain, so that `8080:` and `"8080":` are the same key. */
  #keyText(key: unknown): string | undefined {
    const target = isAlias(key) ? this.#anchors.get(key.source) : key;
    if (!isScalar(target)) return undefined;
    this.#rememberAnchor(target);
    if (typeof target.value === "string") return target.value;
    return target.value === null ? undefined : target.source;
  }

  /** A merged block is overridden by the keys beside it, and the first of several blocks wins. */
  #merge(node: unknown, line: number, into: Map<string, ReadNode>): void {
    const target = isAlias(node) ? this.#anchors.get(node.source) : node;
    this.#nodes += 1;
    if (this.#nodes > maxNodes || this.#depth >= maxDepth) {
      this.#overflow(line);
      return;
    }
    if (isSeq(target)) {
      this.#depth += 1;
      for (const item of target.items) this.#merge(item, line, into);
      this.#depth -= 1;
      return;
    }
    if (!isMap(target)) {
      this.problems.push({
        code: "HDL0001",
        line,
        message: "A merge key (<<) must name a mapping.",
        hint: "Write `<<: *anchor`, where the anchor marks a mapping.",
      });
      return;
    }
    this.#depth += 1;
    const { value, lines } = this.#readMap(target, line);
    this.#depth -= 1;
    for (const [key, child] of Object.entries(value as Readonly<Record<string, PlainValue>>)) {
      if (!into.has(key)) into.set(key, { value: child, lines: lines.c?.[key] ?? { l: line } });
    }
  }

  #lineOfNode(node: unknown, fallback: number): number {
    if (isAlias(node) || isMap(node) || isSeq(node) || isScalar(node)) {
      const range = node.range;
      if (range !== undefined && range !== null) return this.#lineOf(range[0]);
    }
    return fallback;
  }

  #overflow(line: number): ReadNode {
    if (!this.#hasOverflowed) {
      this.#hasOverflowed = true;
      const what =
        this.#depth >= maxDepth
          ? `is nested more than ${maxDepth} levels deep`
          : `unfolds to more than ${maxNodes} values`;
      this.problems.push({ code: "HDL0007", line, message: `The document ${what}.` });
    }
    return { value: null, lines: { l: line } };
  }
}

function isMergeKey(pair: Pair): boolean {
  return isScalar(pair.key) && pair.key.value === "<<" && pair.key.type === Scalar.PLAIN;
}
