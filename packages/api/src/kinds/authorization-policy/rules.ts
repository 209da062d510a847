import { describePath } from "../../schema/check.ts";
import type { Check } from "../../schema/check.ts";
import { conditionValueFormat } from "./condition-keys.ts";
import type * as spec from "./spec.ts";

/** The schema's rule: service accounts say namespace and identity already. */
export const accountsStandAlone: Check<spec.Source> = (source, context) => {
  const account = (["serviceAccounts", "notServiceAccounts"] as const).find((name) => source[name] !== undefined);
  if (account === undefined) return;
  for (const name of ["principals", "notPrincipals", "namespaces", "notNamespaces"] as const) {
    if (source[name] === undefined) continue;
    const hint = `Keep ${account} or ${name}; put the other into a source of its own.`;
    context.report(
      "HDL0019",
      [name],
      `${describePath(context.path)} sets ${account} and ${name}, which exclude each other.`,
      hint,
    );
  }
};

/** As Istio: an empty source would match every caller. */
export const sourceIsNotEmpty: Check<spec.Source> = (source, context) => {
  if (Object.keys(source).length > 0) return;
  context.report(
    "HDL0020",
    [],
    `${describePath(context.path)} is empty and would match every caller.`,
    "Set a field such as principals, or remove from to match every caller.",
  );
};

export const operationIsNotEmpty: Check<spec.Operation> = (operation, context) => {
  if (Object.keys(operation).length > 0) return;
  context.report(
    "HDL0020",
    [],
    `${describePath(context.path)} is empty and would match every request.`,
    "Set a field such as paths, or remove to to match every request.",
  );
};

export const conditionHasValues: Check<spec.Condition> = (condition, context) => {
  if ((condition.values?.length ?? 0) + (condition.notValues?.length ?? 0) > 0) return;
  context.report(
    "HDL0020",
    [],
    `${describePath(context.path)} has neither values nor notValues.`,
    'Write the values; ["*"] asks only for presence.',
  );
};

export const conditionValuesFitTheKey: Check<spec.Condition> = (condition, context) => {
  const format = conditionValueFormat(condition.key);
  for (const name of ["values", "notValues"] as const) {
    (condition[name] ?? []).forEach((value, index) => {
      const problem = format.problem(value);
      if (problem === undefined) return;
      const at = [name, index] as const;
      const detail = problem === "" ? "" : ` (it ${problem})`;
      const message = `${describePath([...context.path, ...at])}: ${JSON.stringify(value)} is not ${format.what}${detail}, as ${condition.key} needs.`;
      context.report("HDL0017", at, message, format.hint);
    });
  }
};

/** istio.md 4.1.3. */
export const policyHasRules: Check<spec.AuthorizationPolicySpec> = (policy, context) => {
  if ((policy.rules?.length ?? 0) > 0 || policy.action !== "DENY") return;
  context.report(
    "HDL0034",
    ["action"],
    "A DENY policy without rules matches no request, so it denies nothing.",
    "Add rules; `rules: [{}]` denies every request.",
  );
};
