import { acceptedFields } from "./accepted-fields.ts";

/**
 * What a proxy understands of `heddle.v1`, in the words in which it says so to its control plane: full names of messages and of their
 * fields. A field that joins a message later needs a name of its own, since who does not know it reads past it.
 */
export const capabilities: readonly string[] = Object.entries(acceptedFields)
  .filter(([type]) => type.startsWith("heddle.v1."))
  .flatMap(([type, fields]) => [type, ...Object.keys(fields).map((field) => `${type}.${field}`)]);
