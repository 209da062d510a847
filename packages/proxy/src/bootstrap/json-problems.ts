import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type Registry,
  ScalarType,
} from "@bufbuild/protobuf";
import { acceptedBeside, acceptedFields } from "@heddle/engine/load";
import { acceptedBootstrapFields } from "./accepted-fields.ts";
import type { DocumentPath } from "./source.ts";

export interface JsonProblem {
  readonly path: DocumentPath;
  readonly message: string;
  /** What to do instead; absent: correct the value. */
  readonly hint?: string;
}

/** Messages whose JSON is not an object of their fields (protobuf JSON mapping). */
const wellKnown = /^google\.protobuf\.(Duration|Timestamp|Struct|Value|ListValue|FieldMask|Empty|\w+Value)$/;

const wellKnownForms: Readonly<Record<string, string>> = {
  "google.protobuf.Duration": 'must be seconds with an s, like "15s" or "0.25s"',
  "google.protobuf.Timestamp": 'must be a time like "2026-01-01T00:00:00Z"',
  "google.protobuf.UInt32Value": "must be a whole number from 0 to 4294967295",
  "google.protobuf.UInt64Value": "must be a whole number from 0",
  "google.protobuf.DoubleValue": "must be a number",
  "google.protobuf.BoolValue": "must be true or false",
  "google.protobuf.StringValue": "must be a string",
};

/**
 * Finds every place where `json` is not a `desc`: protobuf-es stops at the first and does not say where it is.
 * Unknown fields, unknown `@type`s and wrong values are named with their path.
 */
export function findJsonProblems(
  desc: DescMessage,
  json: unknown,
  registry: Registry,
  path: DocumentPath = [],
): JsonProblem[] {
  if (wellKnown.test(desc.typeName))
    return decodes(desc, json as JsonValue, registry, path, wellKnownForms[desc.typeName], json);
  if (desc.typeName === "google.protobuf.Any") return findAnyProblems(json, registry, path);
  if (!isObject(json)) return [{ path, message: `must be an object (${desc.typeName})` }];
  const problems: JsonProblem[] = [];
  const oneofs = new Map<string, string>();
  for (const [key, value] of Object.entries(json)) {
    const field = desc.fields.find((candidate) => candidate.name === key || candidate.jsonName === key);
    if (field === undefined) {
      problems.push({
        path: [...path, key],
        message: `is not a field of ${desc.typeName}`,
        hint: hintForField(desc.typeName),
      });
      continue;
    }
    if (value === null) continue;
    if (field.oneof !== undefined) {
      const other = oneofs.get(field.oneof.name);
      if (other !== undefined)
        problems.push({
          path: [...path, key],
          message: `excludes ${other}: only one of them may be set`,
          hint: "Remove one of the two.",
        });
      oneofs.set(field.oneof.name, key);
    }
    problems.push(...findFieldProblems(desc, field, key, value, registry, [...path, key]));
  }
  return problems;
}

/** Of more than these nobody reads the list in an error. */
const listedFields = 12;

function hintForField(typeName: string): string {
  const known = Object.keys({ ...acceptedFields[typeName], ...acceptedBootstrapFields[typeName] }).sort();
  if (known.length === 0) return "Remove it.";
  return known.length > listedFields
    ? "Remove it, or correct its name: docs/reference/envoy-api.md lists the fields."
    : `Remove it, or use one of ${known.join(", ")}.`;
}

function findFieldProblems(
  desc: DescMessage,
  field: DescField,
  key: string,
  value: unknown,
  registry: Registry,
  path: DocumentPath,
): JsonProblem[] {
  switch (field.fieldKind) {
    case "message":
      return findJsonProblems(field.message, value, registry, path);
    case "list": {
      if (!Array.isArray(value)) return [{ path, message: "must be a list" }];
      const { message } = field;
      if (message === undefined) break;
      return value.flatMap((item, index) => findJsonProblems(message, item, registry, [...path, index]));
    }
    case "map": {
      if (!isObject(value)) return [{ path, message: "must be an object" }];
      const { message } = field;
      if (message === undefined) break;
      return Object.entries(value).flatMap(([name, item]) =>
        findJsonProblems(message, item, registry, [...path, name]),
      );
    }
    case "scalar":
    case "enum":
      break;
  }
  // Scalars, enums and lists or maps of them: a message with this one field shows whether the value fits.
  return decodes(desc, { [key]: value } as JsonObject, registry, path, expectation(field), value);
}

function findAnyProblems(json: unknown, registry: Registry, path: DocumentPath): JsonProblem[] {
  if (!isObject(json)) return [{ path, message: "must be an object with an @type" }];
  const { "@type": type, ...rest } = json;
  if (typeof type !== "string") return [{ path, message: "has no @type" }];
  const typeName = type.slice(type.lastIndexOf("/") + 1);
  const desc = registry.getMessage(typeName);
  if (desc === undefined) {
    const beside = acceptedBeside(typeName, acceptedFields);
    const others = beside.length === 0 ? "." : `, or use one of ${beside.join(", ")}.`;
    return [
      { path: [...path, "@type"], message: `${typeName} is not supported`, hint: `Remove this extension${others}` },
    ];
  }
  // The JSON of a well-known type inside an Any stands under "value" (protobuf JSON mapping).
  if (wellKnown.test(typeName)) return findJsonProblems(desc, rest["value"], registry, [...path, "value"]);
  return findJsonProblems(desc, rest, registry, path);
}

function decodes(
  desc: DescMessage,
  json: JsonValue,
  registry: Registry,
  path: DocumentPath,
  expected: string | undefined,
  value: unknown,
): JsonProblem[] {
  try {
    fromJson(desc, json, { registry });
    return [];
  } catch (error) {
    // "cannot decode field envoy…Listener.name from JSON: expected string, got 1": the path says the first half already.
    const detail = (error as Error).message.replace(/^cannot decode .*? from JSON:? ?/, "");
    if (expected === undefined) return [{ path, message: detail === "" ? "has a wrong value" : detail }];
    return [{ path, message: isShort(value) ? `${expected}, not ${JSON.stringify(value)}` : expected }];
  }
}

function expectation(field: DescField): string | undefined {
  if (field.enum !== undefined) {
    return `must be one of ${field.enum.values.map((value) => value.name).join(", ")}`;
  }
  if (field.fieldKind !== "scalar") return undefined;
  switch (field.scalar) {
    case ScalarType.STRING:
      return "must be a string";
    case ScalarType.BOOL:
      return "must be true or false";
    case ScalarType.BYTES:
      return "must be base64";
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return "must be a number";
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return "must be a whole number from 0 to 4294967295";
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return "must be a whole number from 0";
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return "must be a whole number from -2147483648 to 2147483647";
    default:
      return "must be a whole number";
  }
}

/** Worth repeating: a list or an object is found by its path. */
function isShort(value: unknown): boolean {
  return typeof value !== "object" && JSON.stringify(value).length <= 80;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
