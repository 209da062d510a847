// In place of @bufbuild/protobuf.
import * as original from "@bufbuild/protobuf";
import type { DescMessage, Message } from "@bufbuild/protobuf";

export * from "@bufbuild/protobuf";

const name = process.env["HEDDLE_WITHOUT_FIELD"] ?? "";
const type = name.slice(0, name.lastIndexOf("."));
const fieldName = name.slice(name.lastIndexOf(".") + 1);

/** Clears the field in the message and in all messages below; what is packed in an Any is met when it is unpacked. */
export function withoutField<T extends Message>(desc: DescMessage, message: T): T {
  for (const field of desc.fields) {
    if (!original.isFieldSet(message, field)) continue;
    if (desc.typeName === type && field.name === fieldName) {
      original.clearField(message, field);
      continue;
    }
    const fields = message as unknown as Record<string, unknown>;
    const value =
      field.oneof === undefined ? fields[field.localName] : (fields[field.oneof.localName] as { value: unknown }).value;
    // Structs and wrappers come as plain values, and hold no messages with fields of ours.
    if (field.message === undefined || field.message.typeName.startsWith("google.protobuf.")) continue;
    const messages = field.fieldKind === "message" ? [value] : Object.values(value as object);
    for (const inner of messages) withoutField(field.message, inner as Message);
  }
  return message;
}

export const fromJson: typeof original.fromJson = (desc, ...rest) =>
  withoutField(desc, original.fromJson(desc, ...rest));
export const fromBinary: typeof original.fromBinary = (desc, ...rest) =>
  withoutField(desc, original.fromBinary(desc, ...rest));
export const create: typeof original.create = (desc, ...rest) => withoutField(desc, original.create(desc, ...rest));
