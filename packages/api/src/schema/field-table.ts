import type { Check } from "./check.ts";
import type { TextFormat } from "./text-format.ts";

/** Version of Heddle in which a field began to be carried out. */
export type Release = "0.1.0";

/**
 * The declarative tables that every kind is made of. Validation, the parity test against the published schemas, the JSON
 * schema of LocalMesh and `docs/reference/resources.md` all read the same table.
 */
export type Schema = TextSchema | NumberSchema | BooleanSchema | ListSchema | MapSchema | ObjectSchema | OpaqueSchema;

export interface TextSchema {
  readonly type: "text";
  readonly format?: TextFormat;
  /** The only values; absent: any text. */
  readonly values?: readonly string[];
  /** Values the kind has, but Heddle does not carry out yet. */
  readonly notYetValues?: readonly string[];
  /** Default 1: an empty text is never what somebody meant. */
  readonly minLength?: number;
  readonly maxLength?: number;
}

export interface NumberSchema {
  readonly type: "number";
  readonly isInteger: boolean;
  readonly minimum: number;
  readonly maximum: number;
}

export interface BooleanSchema {
  readonly type: "boolean";
}

export interface ListSchema {
  readonly type: "list";
  readonly items: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  /** Says what two equal entries would share; entries for which it answers undefined are not compared. */
  readonly uniqueBy?: (item: never) => string | undefined;
}

export interface MapSchema {
  readonly type: "map";
  readonly keys: TextFormat;
  /** Keys whose case has no meaning are kept in lower case. */
  readonly hasLowerCaseKeys?: boolean;
  readonly values: Schema;
  readonly minEntries?: number;
  readonly maxEntries?: number;
}

export interface ObjectSchema {
  readonly type: "object";
  readonly fields: Readonly<Record<string, Field>>;
  /** Fields that the kind has and Heddle refuses for now, each with what to do instead ("" when there is nothing to say). */
  readonly notYet: Readonly<Record<string, string>>;
  /** Groups of which at most one field may be set. */
  readonly exclusive: readonly (readonly string[])[];
  /** Rules across fields; they run when the fields themselves are right. */
  readonly checks: readonly Check[];
}

/** Anything at all; for what belongs to others and is set aside. */
export interface OpaqueSchema {
  readonly type: "opaque";
}

export interface Field {
  /** One sentence for the reference page, in our own words. */
  readonly doc: string;
  readonly schema: Schema;
  readonly since: Release;
  readonly isRequired: boolean;
  /** null (an empty value) is read as absent. Elsewhere it is an error, since something was begun and not said. */
  readonly isNullable: boolean;
  readonly default?: string | number | boolean;
}

interface FieldOptions {
  readonly required?: boolean;
  readonly nullable?: boolean;
  readonly default?: string | number | boolean;
}

/** A field that is carried out since the first release. */
export function field(schema: Schema, doc: string, options: FieldOptions = {}): Field {
  return {
    doc,
    schema,
    since: "0.1.0",
    isRequired: options.required === true,
    isNullable: options.nullable === true,
    ...(options.default === undefined ? {} : { default: options.default }),
  };
}

interface ObjectParts<Shape> {
  /** Exactly the fields of the type: the compiler holds table and type together. */
  readonly fields: { readonly [Name in keyof Required<Shape>]: Field };
  readonly notYet?: Readonly<Record<string, string>>;
  readonly exclusive?: readonly (readonly (keyof Shape & string)[])[];
  readonly checks?: readonly Check<Shape>[];
}

export function object<Shape>(parts: ObjectParts<Shape>): ObjectSchema {
  return {
    type: "object",
    fields: parts.fields,
    notYet: parts.notYet ?? {},
    exclusive: parts.exclusive ?? [],
    checks: parts.checks ?? [],
  };
}

export function text(options: Omit<TextSchema, "type"> = {}): TextSchema {
  return { type: "text", ...options };
}

/** A text of one fixed form. */
export function formatted(format: TextFormat, options: Omit<TextSchema, "type" | "format"> = {}): TextSchema {
  return { type: "text", format, ...options };
}

export function oneOf(values: readonly string[], notYetValues: readonly string[] = []): TextSchema {
  return { type: "text", values, notYetValues };
}

export function integer(minimum: number, maximum: number): NumberSchema {
  return { type: "number", isInteger: true, minimum, maximum };
}

export function decimal(minimum: number, maximum: number): NumberSchema {
  return { type: "number", isInteger: false, minimum, maximum };
}

export const boolean: BooleanSchema = { type: "boolean" };

export function list(items: Schema, options: Omit<ListSchema, "type" | "items"> = {}): ListSchema {
  return { type: "list", items, ...options };
}

export function map(
  keys: TextFormat,
  values: Schema,
  options: Omit<MapSchema, "type" | "keys" | "values"> = {},
): MapSchema {
  return { type: "map", keys, values, ...options };
}

export const opaque: OpaqueSchema = { type: "opaque" };

export const maxInt32 = 2_147_483_647;
export const maxUint32 = 4_294_967_295;
