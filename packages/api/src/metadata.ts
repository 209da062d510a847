import type { ResourceIdentity } from "./finding.ts";
import type { Metadata } from "./resource.ts";
import { field, formatted, integer, map, object, opaque, text } from "./schema/field-table.ts";
import type { Field, ObjectSchema } from "./schema/field-table.ts";
import { dnsLabel, labelKey, labelValue, resourceName, timestamp } from "./schema/formats.ts";
import { isMapping } from "./schema/validator.ts";
import type { SchemaProblem } from "./schema/validator.ts";
import { anyText } from "./schema/text-format.ts";
import type { PlainValue } from "./yaml/plain-value.ts";

const bookkeeping: Field = field(text({ minLength: 0 }), "Written by Kubernetes; without meaning here.", {
  nullable: true,
});

const metadataTable = object<Metadata>({
  fields: {
    name: field(formatted(resourceName), "Name of the resource, unique among its kind in its namespace.", {
      required: true,
    }),
    namespace: field(formatted(dnsLabel), "Namespace of the resource.", { default: "default" }),
    labels: field(map(labelKey, formatted(labelValue, { minLength: 0 })), "Labels of the resource itself.", {
      nullable: true,
    }),
    annotations: field(
      map(anyText, text({ minLength: 0 })),
      "Notes; istio.io/dry-run has a meaning on an AuthorizationPolicy.",
      { nullable: true },
    ),
    creationTimestamp: field(formatted(timestamp), "Age of the resource, where the oldest wins.", { nullable: true }),
    generation: field(integer(0, Number.MAX_SAFE_INTEGER), "Version of the spec; counted when absent."),
  },
  notYet: { generateName: "Write a name." },
});

/** Kubernetes' own fields, present in everything that `kubectl get -o yaml` prints, are read and set aside. */
export const metadataFields: ObjectSchema = {
  ...metadataTable,
  fields: {
    ...metadataTable.fields,
    uid: bookkeeping,
    resourceVersion: bookkeeping,
    selfLink: bookkeeping,
    finalizers: { ...bookkeeping, schema: opaque },
    ownerReferences: { ...bookkeeping, schema: opaque },
    managedFields: { ...bookkeeping, schema: opaque },
    deletionTimestamp: bookkeeping,
    deletionGracePeriodSeconds: { ...bookkeeping, schema: opaque },
  },
};

/** Who a document speaks of, if that can be told at all; also when the rest of it is wrong. */
export function readIdentity(value: PlainValue): ResourceIdentity | undefined {
  if (!isMapping(value)) return undefined;
  const kind = value["kind"];
  const metadata = value["metadata"];
  if (typeof kind !== "string" || !isMapping(metadata)) return undefined;
  const name = metadata["name"];
  const namespace = metadata["namespace"] ?? "default";
  if (typeof name !== "string" || typeof namespace !== "string") return undefined;
  // Whatever broken YAML has run together is no name to quote in a message.
  if (![kind, name, namespace].every((part) => /^\S{1,253}$/.test(part))) return undefined;
  return { kind, namespace, name };
}

export const dryRunAnnotation = "istio.io/dry-run";

/** istio.md 4.1.10. Istio reads the annotation as a boolean; anything else would decide between enforcing and watching by accident. */
export function annotationProblems(kind: string, annotations: Readonly<Record<string, string>>): SchemaProblem[] {
  const value = Object.hasOwn(annotations, dryRunAnnotation) ? annotations[dryRunAnnotation] : undefined;
  if (kind !== "AuthorizationPolicy" || value === undefined || value === "true" || value === "false") return [];
  const path = ["metadata", "annotations", dryRunAnnotation];
  return [
    {
      code: "HDL0015",
      path,
      message: `The annotation ${dryRunAnnotation} is ${JSON.stringify(value)}; it must be "true" or "false".`,
    },
  ];
}
