// Walks every field of xDS messages by their descriptors, for the tests of the tables of accepted fields.
import assert from "node:assert/strict";
import type { AcceptedFields, LoadProblem } from "@heddle/engine/load";
import {
  create,
  type DescField,
  type DescMessage,
  ListenerSchema,
  type Message,
  packAny,
  ScalarType,
  typeRegistry,
} from "@heddle/xds/api";

/** What is wrong with a message. */
export type Judge = (message: Message) => readonly LoadProblem[];
export type Root = readonly [DescMessage, Judge];

const anyType = "google.protobuf.Any";

/** A message type with the way to it: `wrap` puts such a message into an otherwise empty root, `path` is where it then stands. */
export interface Place {
  readonly desc: DescMessage;
  readonly path: string;
  readonly wrap: (message: Message) => Message;
  readonly judge: Judge;
}

function withField(desc: DescMessage, field: DescField, value: unknown): Message {
  const message = create(desc) as unknown as Record<string, unknown>;
  const own = field.fieldKind === "list" ? [value] : field.fieldKind === "map" ? { key: value } : value;
  if (field.oneof === undefined) message[field.localName] = own;
  else message[field.oneof.localName] = { case: field.localName, value: own };
  return message as unknown as Message;
}

function step(field: DescField): string {
  return field.fieldKind === "list"
    ? `${field.name}[0]`
    : field.fieldKind === "map"
      ? `${field.name}["key"]`
      : field.name;
}

function messageOf(field: DescField): DescMessage | undefined {
  if (field.fieldKind === "message") return field.message;
  if (field.fieldKind === "list") return field.listKind === "message" ? field.message : undefined;
  if (field.fieldKind === "map") return field.mapKind === "message" ? field.message : undefined;
  return undefined;
}

/** Every message type that accepted fields lead to, each by a shortest way from some root. */
export function reachable(roots: readonly Root[], accepted: AcceptedFields): Place[] {
  const places: Place[] = [];
  const seen = new Set<string>();
  const queue: Place[] = roots.map(([desc, judge]) => ({ desc, judge, path: "", wrap: (message) => message }));
  for (let place = queue.shift(); place !== undefined; place = queue.shift()) {
    const { desc, path, wrap, judge } = place;
    if (seen.has(desc.typeName)) continue;
    seen.add(desc.typeName);
    places.push(place);
    for (const field of desc.fields) {
      if (accepted[desc.typeName]?.[field.name] === undefined) continue;
      const inner = messageOf(field);
      if (inner === undefined) continue;
      const at = path === "" ? step(field) : `${path}.${step(field)}`;
      if (inner.typeName === anyType) {
        for (const packed of typeRegistry) {
          if (packed.kind !== "message") continue;
          queue.push({
            desc: packed,
            path: at,
            judge,
            wrap: (message) => wrap(withField(desc, field, packAny(packed, message as never))),
          });
        }
      } else if (!inner.typeName.startsWith("google.protobuf.")) {
        queue.push({ desc: inner, path: at, judge, wrap: (message) => wrap(withField(desc, field, message)) });
      }
    }
  }
  return places;
}

function scalarValue(scalar: ScalarType): unknown {
  switch (scalar) {
    case ScalarType.STRING:
      return "x";
    case ScalarType.BOOL:
      return true;
    case ScalarType.BYTES:
      return new Uint8Array([1]);
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return 1n;
    default:
      return 1;
  }
}

function messageValue(desc: DescMessage, isWrapped: boolean): unknown {
  if (desc.typeName === "google.protobuf.Struct") return { x: 1 };
  if (desc.typeName === anyType) return packAny(ListenerSchema, {});
  // protobuf-es gives wrappers as their plain values, but not inside a oneof.
  const value =
    desc.typeName.endsWith("Value") && desc.typeName.startsWith("google.protobuf.") ? desc.fields[0] : undefined;
  if (value?.fieldKind === "scalar" && isWrapped) return scalarValue(value.scalar);
  return create(desc);
}

/** Values that are not the default: one, or for enums every other. undefined: the field cannot be set to anything else. */
function valuesOf(field: DescField): readonly { readonly value: unknown; readonly name: string }[] {
  const kind =
    field.fieldKind === "list" ? field.listKind : field.fieldKind === "map" ? field.mapKind : field.fieldKind;
  if (kind === "enum" && (field.fieldKind === "enum" || field.fieldKind === "list")) {
    return (field.enum?.values ?? [])
      .filter(({ number }) => number !== 0)
      .map(({ number, name }) => ({ value: number, name }));
  }
  const desc = messageOf(field);
  if (desc !== undefined)
    return [{ value: messageValue(desc, field.oneof === undefined && field.fieldKind === "message"), name: "" }];
  const scalar = "scalar" in field ? field.scalar : undefined;
  return scalar === undefined ? [] : [{ value: scalarValue(scalar), name: "" }];
}

function refusals(problems: readonly LoadProblem[], path: string): string[] {
  return problems
    .filter((problem) => problem.path === path && problem.message.endsWith("is not supported"))
    .map(({ message }) => message);
}

/**
 * Sets every field of every message that accepted fields lead to, each to every kind of value, and asserts that it is taken or refused
 * with its path, as the table says.
 *
 * @param elsewhere message types that are judged on their own
 * @returns how many values were taken, and how many refused
 */
export function checkEveryField(
  roots: readonly Root[],
  accepted: AcceptedFields,
  elsewhere: ReadonlySet<string> = new Set(),
): { proven: number; refused: number } {
  let proven = 0;
  let refused = 0;
  for (const { desc, path, wrap, judge } of reachable(roots, accepted)) {
    if (elsewhere.has(desc.typeName)) continue;
    // A message outside the table is refused where it stands.
    if (accepted[desc.typeName] === undefined) {
      const problems = judge(wrap(create(desc)));
      assert.deepEqual(refusals(problems, path), [`the type "${desc.typeName}" is not supported`], path);
      refused += desc.fields.length;
      continue;
    }
    for (const field of desc.fields) {
      const entry = accepted[desc.typeName]?.[field.name];
      const at = path === "" ? field.name : `${path}.${field.name}`;
      for (const { value, name } of valuesOf(field)) {
        const problems = judge(wrap(withField(desc, field, value)));
        const own = refusals(problems, at);
        if (entry === undefined) {
          assert.deepEqual(
            own,
            [`${desc.typeName}.${field.name} is not supported`],
            `${desc.typeName}.${field.name} is ignored`,
          );
          refused++;
        } else if (entry.values !== undefined && !entry.values.includes(name)) {
          assert.deepEqual(
            own,
            [`the value ${name} is not supported`],
            `${desc.typeName}.${field.name} = ${name} is ignored`,
          );
          refused++;
        } else {
          // The value may be wrong for its field ("x" is no transport protocol), but the field and its value are known.
          const unknown = new Set([
            `${desc.typeName}.${field.name} is not supported`,
            `the value ${name} is not supported`,
          ]);
          assert.deepEqual(
            own.filter((message) => unknown.has(message)),
            [],
            at,
          );
          proven++;
        }
      }
    }
  }
  return { proven, refused };
}
