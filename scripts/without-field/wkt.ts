// In place of @bufbuild/protobuf/wkt.
import type { DescMessage, Message, Registry } from "@bufbuild/protobuf";
import * as original from "@bufbuild/protobuf/wkt";
import { withoutField } from "./protobuf.ts";

export * from "@bufbuild/protobuf/wkt";

/** As the original, whose overloads are these: a schema gives its type, a registry any message that it knows. */
export function anyUnpack(any: original.Any, schemaOrRegistry: DescMessage | Registry): Message | undefined {
  const schema =
    schemaOrRegistry.kind === "message"
      ? schemaOrRegistry
      : schemaOrRegistry.getMessage(any.typeUrl.split("/").at(-1) ?? "");
  const message = schema && original.anyUnpack(any, schema);
  return schema && message && withoutField(schema, message);
}
