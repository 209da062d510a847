/**
 * The line of every node of a document, in the document's shape. Plain JSON: `l` is the line (from 1), `c` the children by
 * key or index. Scalars have no `c`.
 */
export interface LineTree {
  readonly l: number;
  readonly c?: Readonly<Record<string, LineTree>>;
}

/** Line of the deepest node on `path` that exists. */
export function lineAt(tree: LineTree, path: readonly (string | number)[]): number {
  let node = tree;
  for (const step of path) {
    const key = String(step);
    const children = node.c;
    if (children === undefined || !Object.hasOwn(children, key)) break;
    const child = children[key];
    if (child === undefined) break;
    node = child;
  }
  return node.l;
}
