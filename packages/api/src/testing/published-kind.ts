/** What is kept of a published resource definition: names and types of fields, and none of its text. */
export interface PublishedKind {
  readonly group: string;
  readonly kind: string;
  readonly servedVersions: readonly string[];
  readonly spec: FieldTree;
}

/** A type (`string`, `duration`, `any` …), the words of an enum, or what is below: `[]` a list's entry, `*` a map's value, else a block's fields. */
export type FieldTree = string | readonly string[] | FieldBranches;

export interface FieldBranches {
  readonly [step: string]: FieldTree;
}

export function branchesOf(tree: FieldTree): FieldBranches {
  return typeof tree === "string" || isWords(tree) ? {} : tree;
}

export function isWords(tree: FieldTree): tree is readonly string[] {
  return Array.isArray(tree);
}

/** Every field below a node, and every word of every enum: names of fields and steps of the tree, `=WORD` last for one word. */
export function fieldPaths(tree: FieldTree, path: readonly string[] = []): (readonly string[])[] {
  if (isWords(tree)) return tree.map((word) => [...path, `=${word}`]);
  const below = Object.entries(branchesOf(tree)).flatMap(([step, child]) => fieldPaths(child, [...path, step]));
  return path.length === 0 ? below : [path, ...below];
}
