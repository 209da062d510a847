// Which RE2 patterns may run on the runtime's own backtracking engine (6 to 13 times faster than re2js, measured on
// Istio's `.*/ns/default/.*`: 0.04 µs against 0.54). The pattern is parsed into a small sub-language and written out
// again from the parse, so nothing that is not understood here ever reaches `RegExp`; everything else stays with re2js.

/** Membership of the 128 ASCII characters. */
type CharSet = Uint8Array;

interface Atom {
  readonly set: CharSet;
  readonly source: string;
  readonly repeat: "" | "?" | "*" | "+";
}

/** An unquantified group of alternatives, each a sequence of atoms. */
interface Choice {
  readonly alternatives: readonly (readonly Atom[])[];
}

type Piece = Atom | Choice;

const space = new Set(["\t", "\n", "\f", "\r", " "]);

/** Bound on the number of ways in which `?` and alternatives can be combined at one position. */
const maxCombinations = 16;

function emptySet(): CharSet {
  return new Uint8Array(128);
}

function setOf(test: (char: string) => boolean): CharSet {
  const set = emptySet();
  for (let code = 0; code < 128; code++) if (test(String.fromCharCode(code))) set[code] = 1;
  return set;
}

/** `\d`, `\w` and `\s` as RE2 defines them (`\s` has no vertical tab), with the JavaScript text of each. */
const perlClasses: Readonly<Record<string, { readonly set: CharSet; readonly inner: string }>> = {
  d: { set: setOf((c) => c >= "0" && c <= "9"), inner: "0-9" },
  w: { set: setOf((c) => /[0-9A-Za-z_]/.test(c)), inner: "0-9A-Za-z_" },
  s: { set: setOf((c) => space.has(c)), inner: "\\t\\n\\f\\r " },
};

/** Everything but the line feed, as RE2's `.` without flags. */
const anyCharacter = setOf((c) => c !== "\n");

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The alternatives of the whole pattern, or undefined when it is outside the sub-language. */
  parse(): readonly (readonly Piece[])[] | undefined {
    const alternatives: Piece[][] = [];
    for (;;) {
      const sequence = this.#sequence(true);
      if (sequence === undefined) return undefined;
      alternatives.push(sequence);
      if (this.#at >= this.#text.length) return alternatives;
      if (this.#text[this.#at] !== "|") return undefined;
      this.#at++;
    }
  }

  #sequence(groupsAllowed: boolean): Piece[] | undefined {
    const pieces: Piece[] = [];
    while (this.#at < this.#text.length) {
      const char = this.#text.charAt(this.#at);
      if (char === "|" || char === ")") break;
      const piece = char === "(" ? (groupsAllowed ? this.#group() : undefined) : this.#atom();
      if (piece === undefined) return undefined;
      pieces.push(piece);
    }
    return pieces;
  }

  #group(): Choice | undefined {
    this.#at++;
    if (this.#text.startsWith("?:", this.#at)) this.#at += 2;
    else if (this.#text[this.#at] === "?") return undefined;
    const alternatives: Atom[][] = [];
    for (;;) {
      const sequence = this.#sequence(false);
      if (sequence === undefined) return undefined;
      alternatives.push(sequence as Atom[]);
      const next = this.#text[this.#at++];
      if (next === "|") continue;
      if (next !== ")") return undefined;
      break;
    }
    return this.#isQuantifier() ? undefined : { alternatives };
  }

  #isQuantifier(): boolean {
    const char = this.#text[this.#at];
    return char === "*" || char === "+" || char === "?" || char === "{";
  }

  #atom(): Atom | undefined {
    const single = this.#single();
    if (single === undefined) return undefined;
    let repeat: Atom["repeat"] = "";
    const char = this.#text[this.#at];
    if (char === "{") return undefined;
    if (char === "*" || char === "+" || char === "?") {
      repeat = char;
      this.#at++;
      if (this.#isQuantifier()) return undefined;
    }
    return { ...single, repeat };
  }

  #single(): { set: CharSet; source: string } | undefined {
    const char = this.#text.charAt(this.#at);
    if (char > "\x7e" || char < " ") return undefined;
    if (char === ".") {
      this.#at++;
      return { set: anyCharacter, source: "." };
    }
    if (char === "[") return this.#characterClass();
    if (char === "\\") return this.#escape();
    if ("^$*+?{}()|]".includes(char)) return undefined;
    this.#at++;
    return literal(char);
  }

  #escape(): { set: CharSet; source: string } | undefined {
    const next = this.#text.charAt(this.#at + 1);
    const perl = perlClasses[next];
    if (perl !== undefined) {
      this.#at += 2;
      return { set: perl.set, source: `[${perl.inner}]` };
    }
    if (!isAsciiPunctuation(next)) return undefined;
    this.#at += 2;
    return literal(next);
  }

  #characterClass(): { set: CharSet; source: string } | undefined {
    this.#at++;
    const isNegated = this.#text[this.#at] === "^";
    if (isNegated) this.#at++;
    const set = emptySet();
    let inner = "";
    let isFirst = true;
    for (;;) {
      const char = this.#text.charAt(this.#at);
      if (char === "" || char === "[" || (char === "]" && isFirst)) return undefined;
      if (char === "]") break;
      isFirst = false;
      const perl = char === "\\" ? perlClasses[this.#text.charAt(this.#at + 1)] : undefined;
      if (perl !== undefined) {
        this.#at += 2;
        for (let code = 0; code < 128; code++) if (perl.set[code] === 1) set[code] = 1;
        inner += perl.inner;
        continue;
      }
      const from = this.#classMember();
      if (from === undefined) return undefined;
      let to = from;
      if (this.#text[this.#at] === "-" && this.#text[this.#at + 1] !== "]") {
        this.#at++;
        const end = this.#classMember();
        if (end === undefined || end < from) return undefined;
        to = end;
      }
      for (let code = from.charCodeAt(0); code <= to.charCodeAt(0); code++) set[code] = 1;
      inner += from === to ? escaped(from) : `${escaped(from)}-${escaped(to)}`;
    }
    this.#at++;
    if (!isNegated) return { set, source: `[${inner}]` };
    return { set: set.map((member) => 1 - member), source: `[^${inner}]` };
  }

  #classMember(): string | undefined {
    let char = this.#text.charAt(this.#at++);
    if (char === "[" || char === "]") return undefined;
    if (char === "\\") {
      char = this.#text.charAt(this.#at++);
      if (!isAsciiPunctuation(char)) return undefined;
    }
    return char >= " " && char <= "\x7e" ? char : undefined;
  }
}

function isAsciiPunctuation(char: string): boolean {
  return char.length === 1 && char > " " && char <= "\x7e" && !/[0-9A-Za-z]/.test(char);
}

function escaped(char: string): string {
  return isAsciiPunctuation(char) ? `\\${char}` : char;
}

function literal(char: string): { set: CharSet; source: string } {
  const set = emptySet();
  set[char.charCodeAt(0)] = 1;
  return { set, source: escaped(char) };
}

function isChoice(piece: Piece): piece is Choice {
  return "alternatives" in piece;
}

function isUnbounded(piece: Piece): boolean {
  return !isChoice(piece) && (piece.repeat === "*" || piece.repeat === "+");
}

function isDisjoint(a: CharSet, b: CharSet): boolean {
  for (let code = 0; code < 128; code++) if (a[code] === 1 && b[code] === 1) return false;
  return true;
}

/**
 * Whether a greedy repetition has only one length with which the rest can go on: it stands at the end, or what follows
 * must begin with a character that it cannot consume. Giving characters back then fails at once, so that it costs its
 * own length once.
 */
function isDeterministic(pieces: readonly Piece[], index: number): boolean {
  const piece = pieces[index] as Atom;
  const next = pieces[index + 1];
  if (next === undefined) return true;
  if (isChoice(next) || next.repeat === "?" || next.repeat === "*") return false;
  return isDisjoint(piece.set, next.set);
}

/**
 * The proof. A sequence, matched against a whole input of n characters without line feeds, costs O(n) when
 * 1. its first unbounded repetitions are deterministic (each costs its own length, and is not entered again), then
 * 2. at most one is ambiguous (n ways to end), and after it
 * 3. nothing is unbounded but a final `.*` or `.+`, which matches whatever is left at once, so that reaching it ends the
 *    search; and
 * 4. `?` and alternatives multiply the work by at most {@link maxCombinations}. They may not stand before an unbounded
 *    repetition that is not final, which they could enter more than once; that only multiplies by the same bound.
 */
function isLinear(pieces: readonly Piece[]): boolean {
  let combinations = 1;
  let ambiguousSeen = false;
  for (let index = 0; index < pieces.length; index++) {
    const piece = pieces[index] as Piece;
    if (isChoice(piece)) {
      combinations *= piece.alternatives.length;
      for (const alternative of piece.alternatives) {
        for (const atom of alternative) {
          if (isUnbounded(atom)) return false;
          if (atom.repeat === "?") combinations *= 2;
        }
      }
    } else if (piece.repeat === "?") {
      combinations *= 2;
    } else if (isUnbounded(piece)) {
      const isFinalAny = index === pieces.length - 1 && piece.source === ".";
      if (isFinalAny) continue;
      if (ambiguousSeen) return false;
      if (!isDeterministic(pieces, index)) ambiguousSeen = true;
    }
    if (combinations > maxCombinations) return false;
  }
  return true;
}

function written(pieces: readonly Piece[]): string {
  let text = "";
  for (const piece of pieces) {
    if (isChoice(piece)) text += `(?:${piece.alternatives.map(written).join("|")})`;
    else text += piece.source + piece.repeat;
  }
  return text;
}

/** Leading `^` and trailing `$` say nothing in a full match. */
function withoutAnchors(pattern: string): string {
  let text = pattern;
  if (text.includes("|")) return text;
  if (text.startsWith("^")) text = text.slice(1);
  if (text.endsWith("$") && !text.endsWith("\\$")) text = text.slice(0, -1);
  return text;
}

/**
 * A native full-match expression for `pattern` (valid RE2 syntax), or undefined when it cannot be proven to run in time
 * linear in the input. Valid for inputs of ASCII characters without line feeds: there RE2's `.` and classes over
 * characters and JavaScript's over code units mean the same.
 */
export function linearNativeRegExp(pattern: string): RegExp | undefined {
  const alternatives = new Parser(withoutAnchors(pattern)).parse();
  if (alternatives === undefined || !alternatives.every(isLinear)) return undefined;
  return new RegExp(`^(?:${alternatives.map(written).join("|")})$`, "s");
}
