import { create, type DescMessage, type Message, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { type Any, anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import { typeRegistry } from "./type-registry.ts";

/** `type.googleapis.com/` and the message's full name, as Envoy writes it. */
export function typeUrlOf(schema: DescMessage): string {
  return `type.googleapis.com/${schema.typeName}`;
}

/** Packs a message, or what `create` accepts for it, for a `typed_config` or a resource. */
export function packAny<Desc extends DescMessage>(schema: Desc, message: MessageInitShape<Desc>): Any {
  return anyPack(schema, create(schema, message));
}

/**
 * The message inside, or undefined when its type is not one that Heddle knows (`typeRegistry`).
 *
 * @throws when the type is known and the bytes are not such a message.
 */
export function unpackAny(any: Any): Message | undefined;
/** The message inside, or undefined when it is of another type. */
export function unpackAny<Desc extends DescMessage>(any: Any, schema: Desc): MessageShape<Desc> | undefined;
export function unpackAny(any: Any, schema?: DescMessage): Message | undefined {
  return schema === undefined ? anyUnpack(any, typeRegistry) : anyUnpack(any, schema);
}
