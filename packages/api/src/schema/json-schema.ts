import type { Field, ListSchema, MapSchema, NumberSchema, ObjectSchema, Schema, TextSchema } from "./field-table.ts";

export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * A field table as JSON Schema (draft 2020-12), for editors. It says what JSON Schema can say; rules across fields and
 * references are `heddle validate`'s.
 */
export function toJsonSchema(schema: Schema): JsonSchema {
  switch (schema.type) {
    case "text":
      return fromText(schema);
    case "number":
      return fromNumber(schema);
    case "boolean":
      return { type: "boolean" };
    case "list":
      return fromList(schema);
    case "map":
      return fromMap(schema);
    case "object":
      return fromObject(schema);
    case "opaque":
      return {};
  }
}

function fromText(schema: TextSchema): JsonSchema {
  if (schema.values !== undefined) return { enum: schema.values };
  return defined({
    type: "string",
    minLength: schema.minLength === 0 ? undefined : 1,
    maxLength: schema.maxLength,
    pattern: schema.format?.pattern,
  });
}

function fromNumber(schema: NumberSchema): JsonSchema {
  return { type: schema.isInteger ? "integer" : "number", minimum: schema.minimum, maximum: schema.maximum };
}

function fromList(schema: ListSchema): JsonSchema {
  return defined({
    type: "array",
    items: toJsonSchema(schema.items),
    minItems: schema.minItems,
    maxItems: schema.maxItems,
  });
}

function fromMap(schema: MapSchema): JsonSchema {
  return defined({
    type: "object",
    propertyNames: defined({ minLength: 1, pattern: schema.keys.pattern }),
    additionalProperties: toJsonSchema(schema.values),
    minProperties: schema.minEntries,
    maxProperties: schema.maxEntries,
  });
}

function fromObject(schema: ObjectSchema): JsonSchema {
  const fields = Object.entries(schema.fields);
  const required = fields.filter(([, entry]) => entry.isRequired).map(([name]) => name);
  return defined({
    type: "object",
    properties: Object.fromEntries(fields.map(([name, entry]) => [name, fromField(entry)])),
    required: required.length === 0 ? undefined : required,
    additionalProperties: false,
  });
}

function fromField(entry: Field): JsonSchema {
  const schema = toJsonSchema(entry.schema);
  const described = defined({ description: entry.doc, default: entry.default });
  return entry.isNullable ? { ...described, anyOf: [schema, { type: "null" }] } : { ...described, ...schema };
}

function defined(entries: Readonly<Record<string, unknown>>): JsonSchema {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined));
}
