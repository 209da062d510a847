import { field, formatted, map, object } from "../schema/field-table.ts";
import { labelKey, labelValue } from "../schema/formats.ts";

/** Selects workloads by labels: all of them must be equal. Absent or empty `matchLabels` selects every workload in scope. */
export interface WorkloadSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
}

const hint = "A selector compares whole labels; name each label and its value in full.";

/** A `*` fails the label syntax already; the hint says why it is no wildcard. */
export const workloadSelector = object<WorkloadSelector>({
  fields: {
    matchLabels: field(
      map({ ...labelKey, hint }, formatted({ ...labelValue, hint }, { minLength: 0, maxLength: 63 }), {
        maxEntries: 4096,
      }),
      "Labels that a workload must have, each with this value.",
    ),
  },
});
