// The part of protobuf-es that works on the messages of this API, so that other packages need no dependency of their own on it.
export type {
  DescEnum,
  DescField,
  DescMessage,
  JsonObject,
  JsonValue,
  Message,
  MessageInitShape,
  MessageShape,
  Registry,
} from "@bufbuild/protobuf";
export {
  clone,
  create,
  equals,
  fromBinary,
  fromJson,
  isFieldSet,
  isMessage,
  ScalarType,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
export type { Any, Duration, Struct, Timestamp, Value } from "@bufbuild/protobuf/wkt";
export {
  AnySchema,
  DurationSchema,
  durationFromMs,
  durationMs,
  StructSchema,
  ValueSchema,
} from "@bufbuild/protobuf/wkt";
