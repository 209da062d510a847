import { errorEntry } from "@heddle/core";
import {
  type Any,
  type DescField,
  type DescMessage,
  isFieldSet,
  type Message,
  typeRegistry,
  unpackAny,
} from "@heddle/xds/api";
import { acceptedBeside } from "./accepted-beside.ts";
import type { LoadProblem } from "./loading.ts";
import { Path } from "./loading.ts";

/** What is supported of one field. */
export interface AcceptedField {
  /** The test that proves its behaviour: `<file below packages/> › <title>`. */
  readonly proof: string;
  /** Where `proof` begins behind the loader: the test that proves that the value gets there. */
  readonly loadProof?: string;
  /** Why nothing changes when a supported value is left out; undefined: something does, and `npm run test:fields` sees it. */
  readonly withoutEffect?: string;
  /** For enums: the names of the values that are supported; undefined: all. */
  readonly values?: readonly string[];
}

/** Message type → field (name in the .proto file) → what is supported. A message or field that is absent is refused. */
export type AcceptedFields = Readonly<Record<string, Readonly<Record<string, AcceptedField>>>>;

const anyType = "google.protobuf.Any";

/** Well-known types are values, not messages with fields of their own. */
function isValueType(desc: DescMessage): boolean {
  return desc.typeName.startsWith("google.protobuf.") && desc.typeName !== anyType;
}

/**
 * Every set field of a message, at any depth and through every Any, that the table does not accept. It works on
 * descriptors alone, so that a field which a later version of the API adds is refused before anybody has thought of it.
 */
export function unsupportedFields(
  desc: DescMessage,
  message: Message,
  accepted: AcceptedFields,
  at: Path = new Path(""),
): LoadProblem[] {
  const problems: LoadProblem[] = [];
  walk(desc, message, accepted, at, problems);
  return problems;
}

function walk(desc: DescMessage, message: Message, accepted: AcceptedFields, at: Path, problems: LoadProblem[]): void {
  if (desc.typeName === anyType) {
    walkAny(message as Any, accepted, at, problems);
    return;
  }
  if (isValueType(desc)) return;
  const fields = accepted[desc.typeName] ?? {};
  for (const field of desc.fields) {
    if (!isFieldSet(message, field)) continue;
    const entry = Object.hasOwn(fields, field.name) ? fields[field.name] : undefined;
    if (entry === undefined) {
      refuse(problems, at.field(field.name), `${desc.typeName}.${field.name} is not supported`);
    } else {
      walkField(field, valueOf(message, field), entry, accepted, at.field(field.name), problems);
    }
  }
}

function valueOf(message: Message, field: DescField): unknown {
  const fields = message as unknown as Record<string, unknown>;
  if (field.oneof === undefined) return fields[field.localName];
  return (fields[field.oneof.localName] as { value?: unknown }).value;
}

function walkField(
  field: DescField,
  value: unknown,
  entry: AcceptedField,
  accepted: AcceptedFields,
  at: Path,
  problems: LoadProblem[],
): void {
  switch (field.fieldKind) {
    case "message":
      if (!isValueType(field.message)) walk(field.message, value as Message, accepted, at, problems);
      break;
    case "list":
      (value as readonly unknown[]).forEach((item, index) => {
        if (field.listKind === "message") walk(field.message, item as Message, accepted, at.index(index), problems);
        else if (field.listKind === "enum")
          checkEnum(field.enum.values, item as number, entry, at.index(index), problems);
      });
      break;
    case "map":
      for (const [key, item] of Object.entries(value as Readonly<Record<string, unknown>>)) {
        if (field.mapKind === "message") walk(field.message, item as Message, accepted, at.key(key), problems);
      }
      break;
    case "enum":
      checkEnum(field.enum.values, value as number, entry, at, problems);
      break;
    case "scalar":
      break;
  }
}

function checkEnum(
  values: readonly { readonly name: string; readonly number: number }[],
  value: number,
  entry: AcceptedField,
  at: Path,
  problems: LoadProblem[],
): void {
  const name = values.find((candidate) => candidate.number === value)?.name;
  if (name === undefined) refuse(problems, at, `the value ${value} is unknown`);
  else if (entry.values !== undefined && !entry.values.includes(name))
    problems.push({
      path: at.toString(),
      message: `the value ${name} is not supported`,
      hint: `use one of ${entry.values.join(", ")}; nothing is ever ignored in silence`,
    });
}

function walkAny(any: Any, accepted: AcceptedFields, at: Path, problems: LoadProblem[]): void {
  const type = any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1);
  const desc = typeRegistry.getMessage(type);
  if (desc === undefined || !Object.hasOwn(accepted, type)) {
    const beside = acceptedBeside(type, accepted);
    const hint = beside.length === 0 ? undefined : `supported here: ${beside.join(", ")}`;
    refuse(problems, at, `the type "${type}" is not supported`, hint);
    return;
  }
  try {
    const message = unpackAny(any, desc);
    if (message !== undefined) walk(desc, message, accepted, at, problems);
  } catch {
    problems.push({
      path: at.toString(),
      message: `the bytes are not a message of type "${type}"`,
      hint: "encode the message again",
    });
  }
}

function refuse(
  problems: LoadProblem[],
  at: Path,
  message: string,
  hint: string = errorEntry("config_unsupported_field").hint,
): void {
  problems.push({ path: at.toString(), message, hint });
}
