/** A node of a published resource definition, as far as the parity test reads it. */
export interface CrdNode {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, CrdNode>>;
  readonly items?: CrdNode;
  readonly additionalProperties?: CrdNode;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly "x-kubernetes-validations"?: readonly { readonly rule: string }[];
}

export interface FieldPath {
  /** Field names; `[]` for an entry of a list, `*` for a value of a map, `=WORD` last for one word of an enum. */
  readonly path: readonly string[];
  readonly node: CrdNode;
}

/** Every field below a node, and every word of every enum. */
export function fieldPaths(node: CrdNode, path: readonly string[] = []): FieldPath[] {
  const words = (node.enum ?? []).map((word) => ({ path: [...path, `=${word}`], node }));
  const children = [
    ...Object.entries(node.properties ?? {}),
    ...(node.items === undefined ? [] : [["[]", node.items] as const]),
    ...(node.additionalProperties === undefined ? [] : [["*", node.additionalProperties] as const]),
  ];
  const below = children.flatMap(([step, child]) => fieldPaths(child, [...path, step]));
  const own = path.length === 0 || words.length > 0 ? [] : [{ path, node }];
  return [...own, ...words, ...below];
}
