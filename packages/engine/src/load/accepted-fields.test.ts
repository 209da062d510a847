import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ClusterLoadAssignmentSchema,
  ClusterSchema,
  create,
  type DescField,
  type DescMessage,
  ListenerSchema,
  type Message,
  packAny,
  RouteConfigurationSchema,
  ScalarType,
  SecretSchema,
  typeRegistry,
} from "@heddle/xds/api";
import { TestProofs } from "../../../../scripts/test-proofs.ts";
import { acceptedFields } from "./accepted-fields.ts";
import { loadCluster } from "./cluster.ts";
import { loadEndpoints } from "./endpoints.ts";
import { loadListener } from "./listener.ts";
import type { Loaded, LoadProblem } from "./loading.ts";
import { loadRouteConfiguration } from "./route-table.ts";
import { loadSecret } from "./secret.ts";

test("the proof of every accepted field is a test that exists", () => {
  const tests = TestProofs.below(new URL("../../../", import.meta.url));
  for (const [type, fields] of Object.entries(acceptedFields)) {
    for (const [field, { proof, loadProof = proof }] of Object.entries(fields)) {
      assert.equal(tests.problem(proof), undefined, `${type}.${field}`);
      assert.equal(tests.problem(loadProof), undefined, `${type}.${field}`);
    }
  }
});

/** Fields that only name or hold others, or say where a value comes from: that it arrives is all that they do. */
const containers: ReadonlySet<string> = new Set([
  "a test of provenance: engine/src/load/listener.test.ts › provenance comes from the metadata of heddle.dev",
  "sources of values: engine/src/load/core-types.test.ts › data comes inline, from a file or from the environment",
  "sources of secrets: engine/src/load/tls.test.ts › secrets come from ADS, the local identity, the bootstrap or the context itself",
  "sinks: engine/src/load/access-log.test.ts › an access log's sink, format and filter arrive",
  "two ways to say one thing: engine/src/load/cluster.test.ts › the load balancer comes from lb_policy or from load_balancing_policy",
  "labels: engine/src/load/cluster.test.ts › the services behind a cluster come from Istio's metadata",
]);

test("that a value arrives proves a field only where it does nothing more than hold, name or lead to others", () => {
  const allowed = new Set([...containers].map((entry) => entry.slice(entry.indexOf(": ") + 2)));
  const used = new Set(
    Object.values(acceptedFields).flatMap((fields) => Object.values(fields).map(({ proof }) => proof)),
  );
  assert.deepEqual(
    [...allowed].filter((proof) => !used.has(proof)),
    [],
    "containers that nothing uses",
  );
  for (const [type, fields] of Object.entries(acceptedFields)) {
    for (const [field, { proof }] of Object.entries(fields)) {
      assert.ok(!proof.startsWith("engine/src/load/") || allowed.has(proof), `${type}.${field}: ${proof}`);
    }
  }
});

type AnyLoader = (message: Message) => Loaded<unknown>;

const roots: readonly (readonly [DescMessage, AnyLoader])[] = [
  [ListenerSchema, loadListener as AnyLoader],
  [RouteConfigurationSchema, loadRouteConfiguration as AnyLoader],
  [ClusterSchema, loadCluster as AnyLoader],
  [ClusterLoadAssignmentSchema, loadEndpoints as AnyLoader],
  [SecretSchema, loadSecret as AnyLoader],
];

const anyType = "google.protobuf.Any";

/** A message type with the way to it: `wrap` puts such a message into an otherwise empty root, `path` is where it then stands. */
interface Place {
  readonly desc: DescMessage;
  readonly path: string;
  readonly wrap: (message: Message) => Message;
  readonly load: AnyLoader;
}

function withField(desc: DescMessage, field: DescField, value: unknown): Message {
  const message = create(desc) as unknown as Record<string, unknown>;
  const own = field.fieldKind === "list" ? [value] : field.fieldKind === "map" ? { key: value } : value;
  if (field.oneof === undefined) message[field.localName] = own;
  else message[field.oneof.localName] = { case: field.localName, value: own };
  return message as unknown as Message;
}

function step(field: DescField): string {
  return field.fieldKind === "list"
    ? `${field.name}[0]`
    : field.fieldKind === "map"
      ? `${field.name}["key"]`
      : field.name;
}

function messageOf(field: DescField): DescMessage | undefined {
  if (field.fieldKind === "message") return field.message;
  if (field.fieldKind === "list") return field.listKind === "message" ? field.message : undefined;
  if (field.fieldKind === "map") return field.mapKind === "message" ? field.message : undefined;
  return undefined;
}

/** Every message type that accepted fields lead to, each by a shortest way from some root. */
function reachable(): Place[] {
  const places: Place[] = [];
  const seen = new Set<string>();
  const queue: Place[] = roots.map(([desc, load]) => ({ desc, load, path: "", wrap: (message) => message }));
  for (let place = queue.shift(); place !== undefined; place = queue.shift()) {
    const { desc, path, wrap, load } = place;
    if (seen.has(desc.typeName)) continue;
    seen.add(desc.typeName);
    places.push(place);
    for (const field of desc.fields) {
      if (acceptedFields[desc.typeName]?.[field.name] === undefined) continue;
      const inner = messageOf(field);
      if (inner === undefined) continue;
      const at = path === "" ? step(field) : `${path}.${step(field)}`;
      if (inner.typeName === anyType) {
        for (const packed of typeRegistry) {
          if (packed.kind !== "message") continue;
          queue.push({
            desc: packed,
            path: at,
            load,
            wrap: (message) => wrap(withField(desc, field, packAny(packed, message as never))),
          });
        }
      } else if (!inner.typeName.startsWith("google.protobuf.")) {
        queue.push({ desc: inner, path: at, load, wrap: (message) => wrap(withField(desc, field, message)) });
      }
    }
  }
  return places;
}

function scalarValue(scalar: ScalarType): unknown {
  switch (scalar) {
    case ScalarType.STRING:
      return "x";
    case ScalarType.BOOL:
      return true;
    case ScalarType.BYTES:
      return new Uint8Array([1]);
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return 1n;
    default:
      return 1;
  }
}

function messageValue(desc: DescMessage, isWrapped: boolean): unknown {
  if (desc.typeName === "google.protobuf.Struct") return { x: 1 };
  if (desc.typeName === anyType) return packAny(ListenerSchema, {});
  // protobuf-es gives wrappers as their plain values, but not inside a oneof.
  const value =
    desc.typeName.endsWith("Value") && desc.typeName.startsWith("google.protobuf.") ? desc.fields[0] : undefined;
  if (value?.fieldKind === "scalar" && isWrapped) return scalarValue(value.scalar);
  return create(desc);
}

/** Values that are not the default: one, or for enums every other. undefined: the field cannot be set to anything else. */
function valuesOf(field: DescField): readonly { readonly value: unknown; readonly name: string }[] {
  const kind =
    field.fieldKind === "list" ? field.listKind : field.fieldKind === "map" ? field.mapKind : field.fieldKind;
  if (kind === "enum" && (field.fieldKind === "enum" || field.fieldKind === "list")) {
    return (field.enum?.values ?? [])
      .filter(({ number }) => number !== 0)
      .map(({ number, name }) => ({ value: number, name }));
  }
  const desc = messageOf(field);
  if (desc !== undefined)
    return [{ value: messageValue(desc, field.oneof === undefined && field.fieldKind === "message"), name: "" }];
  const scalar = "scalar" in field ? field.scalar : undefined;
  return scalar === undefined ? [] : [{ value: scalarValue(scalar), name: "" }];
}

function refusals(problems: readonly LoadProblem[], path: string): string[] {
  return problems
    .filter((problem) => problem.path === path && problem.message.endsWith("is not supported"))
    .map(({ message }) => message);
}

test("every field of every message that can be reached is proven, or refused with its path", () => {
  let proven = 0;
  let refused = 0;
  for (const { desc, path, wrap, load } of reachable()) {
    // A message outside the table is refused where it stands.
    if (acceptedFields[desc.typeName] === undefined) {
      const { problems } = load(wrap(create(desc)));
      assert.deepEqual(refusals(problems, path), [`the type "${desc.typeName}" is not supported`], path);
      refused += desc.fields.length;
      continue;
    }
    for (const field of desc.fields) {
      const entry = acceptedFields[desc.typeName]?.[field.name];
      const at = path === "" ? field.name : `${path}.${field.name}`;
      for (const { value, name } of valuesOf(field)) {
        const { problems } = load(wrap(withField(desc, field, value)));
        const own = refusals(problems, at);
        if (entry === undefined) {
          assert.deepEqual(
            own,
            [`${desc.typeName}.${field.name} is not supported`],
            `${desc.typeName}.${field.name} is ignored`,
          );
          refused++;
        } else if (entry.values !== undefined && !entry.values.includes(name)) {
          assert.deepEqual(
            own,
            [`the value ${name} is not supported`],
            `${desc.typeName}.${field.name} = ${name} is ignored`,
          );
          refused++;
        } else {
          // The value may be wrong for its field ("x" is no transport protocol), but the field and its value are known.
          const unknown = new Set([
            `${desc.typeName}.${field.name} is not supported`,
            `the value ${name} is not supported`,
          ]);
          assert.deepEqual(
            own.filter((message) => unknown.has(message)),
            [],
            at,
          );
          proven++;
        }
      }
    }
  }
  assert.ok(proven > 350, `${proven} proven`);
  assert.ok(refused > 300, `${refused} refused`);
});

test("the table names only messages that can be reached, and only fields that they have", () => {
  const places = new Map(reachable().map(({ desc }) => [desc.typeName, desc]));
  for (const [type, fields] of Object.entries(acceptedFields)) {
    const desc = places.get(type);
    assert.ok(desc !== undefined, `${type} cannot be reached`);
    for (const [field, { values }] of Object.entries(fields)) {
      const own: DescField | undefined = desc.fields.find(({ name }) => name === field);
      assert.ok(own !== undefined, `${type} has no field ${field}`);
      if (values === undefined) continue;
      assert.ok(own.fieldKind === "enum", `${type}.${field} is no enum`);
      for (const name of values)
        assert.ok(
          own.enum.values.some((value) => value.name === name),
          `${type}.${field} has no value ${name}`,
        );
    }
  }
});

test("an unknown enum value is refused", () => {
  const message = create(ListenerSchema, { name: "l" });
  (message as unknown as { trafficDirection: number }).trafficDirection = 99;
  assert.ok(
    loadListener(message).problems.some(
      (problem) => problem.path === "traffic_direction" && problem.message === "the value 99 is unknown",
    ),
  );
});
