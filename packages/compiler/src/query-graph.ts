/** What a query's value, or an input's, must offer to be compared; a value that is `same` as the one before replaces nothing. */
export type Same<Value> = (before: Value, after: Value) => boolean;

interface Cell {
  /** Revision in which the value last became another one. */
  changedAt: number;
  /** Brings `changedAt` up to the present revision. */
  refresh(): void;
}

/**
 * Demand-driven incremental computation. Inputs are set between revisions; queries are pure functions of inputs and other queries.
 * A query remembers what it read, by reading it through the graph. When asked again it first asks whether any of that has changed,
 * in the order in which it was read, and computes again only then; when the new value is the `same` as the old one, the old one
 * stays (object identity included) and whatever depends on it is left alone. A dependency cannot be forgotten: there is no other way
 * to a value than through the graph.
 *
 * The scheme is that of rustc's query system and Salsa ("red-green" marking).
 */
export class QueryGraph {
  #revision = 0;
  #reading: Set<Cell> | undefined;
  readonly #queries: Query<readonly string[], unknown>[] = [];
  readonly #computed = new Map<string, number>();

  get revision(): number {
    return this.#revision;
  }

  /** Inputs may be set after this, until the first question is asked. */
  beginRevision(): void {
    this.#revision++;
    this.#computed.clear();
  }

  /** How many values of each query have been computed since the revision began. */
  computed(): ReadonlyMap<string, number> {
    return this.#computed;
  }

  table<Value>(same: Same<Value>): InputTable<Value> {
    return new InputTable(this, same);
  }

  query<Key extends readonly string[], Value>(
    name: string,
    same: Same<Value>,
    compute: (...key: Key) => Value,
  ): Query<Key, Value> {
    const query = new Query(this, name, same, compute);
    this.#queries.push(query as unknown as Query<readonly string[], unknown>);
    return query;
  }

  /** Forgets what nobody has asked for during the last `revisions` revisions. */
  sweep(revisions: number): void {
    for (const query of this.#queries) query.forgetBefore(this.#revision - revisions);
  }

  /** @internal Notes that the query being computed depends on `cell`. */
  noteRead(cell: Cell): void {
    this.#reading?.add(cell);
  }

  /** @internal Runs one computation and returns what it read. */
  run<Value>(name: string, compute: () => Value): { value: Value; read: ReadonlySet<Cell> } {
    const outer = this.#reading;
    const read = new Set<Cell>();
    this.#reading = read;
    try {
      this.#computed.set(name, (this.#computed.get(name) ?? 0) + 1);
      return { value: compute(), read };
    } finally {
      this.#reading = outer;
    }
  }

  /** @internal Runs `check` without noting reads. */
  unobserved<Value>(check: () => Value): Value {
    const outer = this.#reading;
    this.#reading = undefined;
    try {
      return check();
    } finally {
      this.#reading = outer;
    }
  }
}

class InputCell<Value> implements Cell {
  changedAt: number;
  value: Value | undefined;

  constructor(value: Value | undefined, revision: number) {
    this.value = value;
    this.changedAt = revision;
  }

  refresh(): void {}
}

/** Named inputs. That a key is absent, and which keys there are, are facts that a query can depend on, too. */
export class InputTable<Value> {
  readonly #graph: QueryGraph;
  readonly #same: Same<Value>;
  readonly #cells = new Map<string, InputCell<Value>>();
  readonly #keys: InputCell<readonly string[]>;

  constructor(graph: QueryGraph, same: Same<Value>) {
    this.#graph = graph;
    this.#same = same;
    this.#keys = new InputCell<readonly string[]>([], 0);
  }

  get(key: string): Value | undefined {
    let cell = this.#cells.get(key);
    if (cell === undefined) {
      cell = new InputCell<Value>(undefined, 0);
      this.#cells.set(key, cell);
    }
    this.#graph.noteRead(cell);
    return cell.value;
  }

  /** In the order of code units, so that nothing depends on the order in which inputs arrived. */
  keys(): readonly string[] {
    this.#graph.noteRead(this.#keys);
    return this.#keys.value ?? [];
  }

  /** Makes the table hold exactly `values`; a value that is `same` as the one it had leaves it untouched. */
  replace(values: ReadonlyMap<string, Value>): void {
    const revision = this.#graph.revision;
    let isKeySetChanged = false;
    for (const [key, cell] of this.#cells) {
      if (cell.value === undefined || values.has(key)) continue;
      // Whoever read this cell sees that it changed, reads again, and then finds the key's next cell.
      cell.value = undefined;
      cell.changedAt = revision;
      this.#cells.delete(key);
      isKeySetChanged = true;
    }
    for (const [key, value] of values) {
      const cell = this.#cells.get(key);
      if (cell === undefined) {
        this.#cells.set(key, new InputCell(value, revision));
        isKeySetChanged = true;
      } else if (cell.value === undefined || !this.#same(cell.value, value)) {
        isKeySetChanged ||= cell.value === undefined;
        cell.value = value;
        cell.changedAt = revision;
      }
    }
    if (!isKeySetChanged) return;
    this.#keys.value = [...values.keys()].sort();
    this.#keys.changedAt = revision;
  }
}

class QueryCell<Value> implements Cell {
  changedAt = 0;
  verifiedAt = 0;
  value: { readonly of: Value } | undefined;
  read: ReadonlySet<Cell> = new Set();
  readonly #query: Query<never, Value>;
  readonly #compute: () => Value;

  constructor(query: Query<never, Value>, compute: () => Value) {
    this.#query = query;
    this.#compute = compute;
  }

  refresh(): void {
    const graph = this.#query.graph;
    if (this.verifiedAt === graph.revision && this.value !== undefined) return;
    if (this.value !== undefined && graph.unobserved(() => this.#isCurrent())) {
      this.verifiedAt = graph.revision;
      return;
    }
    const { value, read } = graph.run(this.#query.name, this.#compute);
    this.read = read;
    this.verifiedAt = graph.revision;
    if (this.value !== undefined && this.#query.same(this.value.of, value)) return;
    this.value = { of: value };
    this.changedAt = graph.revision;
  }

  #isCurrent(): boolean {
    for (const cell of this.read) {
      cell.refresh();
      if (cell.changedAt > this.verifiedAt) return false;
    }
    return true;
  }
}

/** A memoised pure function of strings. */
export class Query<Key extends readonly string[], Value> {
  readonly graph: QueryGraph;
  readonly name: string;
  readonly same: Same<Value>;
  readonly #compute: (...key: Key) => Value;
  readonly #cells = new Map<string, QueryCell<Value>>();

  constructor(graph: QueryGraph, name: string, same: Same<Value>, compute: (...key: Key) => Value) {
    this.graph = graph;
    this.name = name;
    this.same = same;
    this.#compute = compute;
  }

  get(...key: Key): Value {
    const id = key.join("\0");
    let cell = this.#cells.get(id);
    if (cell === undefined) {
      cell = new QueryCell<Value>(this, () => this.#compute(...key));
      this.#cells.set(id, cell);
    }
    this.graph.noteRead(cell);
    cell.refresh();
    return (cell.value as { readonly of: Value }).of;
  }

  forgetBefore(revision: number): void {
    for (const [id, cell] of this.#cells) if (cell.verifiedAt < revision) this.#cells.delete(id);
  }
}
