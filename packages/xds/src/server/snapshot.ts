import { createHash } from "node:crypto";
import { create, type Message, toBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { typeRegistry, typeUrlOf } from "../api/index.ts";

/** One resource of a snapshot. `message` is never changed after it was handed over. */
export interface VersionedResource {
  readonly name: string;
  /** Equal versions mean equal contents: a digest of the message (`versionedResource`). Never empty. */
  readonly version: string;
  readonly message: Message;
}

/**
 * Everything that one proxy should have: type URL → name → resource. A type that is missing has no resources. To keep the
 * same inner map for a type that did not change spares the comparison of its resources.
 */
export interface ResourceSnapshot {
  /** Shown in the status and sent as `system_version_info` / `version_info`. */
  readonly version: string;
  readonly resources: ReadonlyMap<string, ReadonlyMap<string, VersionedResource>>;
}

interface Packed {
  readonly any: Any;
  readonly digest: string;
}

/** A message that goes to a thousand proxies is encoded and hashed once. */
const packed = new WeakMap<Message, Packed>();

/**
 * A resource whose version is a digest of its content.
 *
 * @throws when the message's type is not in the type registry.
 */
export function versionedResource(name: string, message: Message): VersionedResource {
  return { name, version: pack(message).digest, message };
}

/** The encoded message under its type URL. */
export function packResource(resource: VersionedResource): Any {
  return pack(resource.message).any;
}

function pack(message: Message): Packed {
  let entry = packed.get(message);
  if (entry === undefined) {
    const schema = typeRegistry.getMessage(message.$typeName);
    if (schema === undefined) throw new Error(`${message.$typeName} is not in the type registry of @heddle/xds`);
    const value = toBinary(schema, message);
    const digest = createHash("sha256").update(value).digest("base64url").slice(0, 22);
    entry = { any: create(AnySchema, { typeUrl: typeUrlOf(schema), value }), digest };
    packed.set(message, entry);
  }
  return entry;
}
