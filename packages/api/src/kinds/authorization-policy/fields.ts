import { field, formatted, list, object, oneOf, text } from "../../schema/field-table.ts";
import { portText } from "../../schema/formats.ts";
import { addressOrRange } from "../../schema/ip-address.ts";
import type { TextFormat } from "../../schema/text-format.ts";
import { workloadSelector } from "../selector.ts";
import { conditionKey } from "./condition-keys.ts";
import { namespacePattern, pathPattern, serviceAccount, trustDomain } from "./formats.ts";
import * as rules from "./rules.ts";
import type * as spec from "./spec.ts";

/** An empty list would be read as an absent one, which is wider than what was written. */
const texts = list(text(), { minItems: 1 });
const each = (format: TextFormat) => list(formatted(format), { minItems: 1 });
const accounts = list(formatted(serviceAccount, { maxLength: 320 }), { minItems: 1, maxItems: 16 });
const jwtHint = "Requests are not authenticated by token yet; match the caller's workload by principals.";

const source = object<spec.Source>({
  fields: {
    principals: field(texts, "Identities of the caller, <trust domain>/ns/<namespace>/sa/<account>."),
    notPrincipals: field(texts, "Identities that the caller must not have."),
    namespaces: field(each(namespacePattern), "Namespaces of the caller; * stands for any text."),
    notNamespaces: field(each(namespacePattern), "Namespaces that the caller must not be in."),
    ipBlocks: field(each(addressOrRange), "Addresses of the connection's other end."),
    notIpBlocks: field(each(addressOrRange), "Addresses that the connection's other end must not have."),
    remoteIpBlocks: field(
      each(addressOrRange),
      "Addresses of the client, after X-Forwarded-For is taken into account.",
    ),
    notRemoteIpBlocks: field(each(addressOrRange), "Addresses that the client must not have."),
    serviceAccounts: field(
      accounts,
      "Service accounts of the caller, <namespace>/<account> or <account> in the policy's namespace.",
    ),
    notServiceAccounts: field(accounts, "Service accounts that the caller must not have."),
    trustDomains: field(each(trustDomain), "Trust domains of the caller."),
    notTrustDomains: field(each(trustDomain), "Trust domains that the caller must not be in."),
  },
  notYet: { requestPrincipals: jwtHint, notRequestPrincipals: jwtHint },
  checks: [rules.accountsStandAlone, rules.sourceIsNotEmpty],
});

const operation = object<spec.Operation>({
  fields: {
    hosts: field(texts, "Hosts of the request, without regard to case."),
    notHosts: field(texts, "Hosts that the request must not have."),
    ports: field(each(portText), "Ports of the workload that receive the request."),
    notPorts: field(each(portText), "Ports that must not receive the request."),
    methods: field(texts, "Methods of the request."),
    notMethods: field(texts, "Methods that the request must not have."),
    paths: field(each(pathPattern), "Paths of the request, without the query."),
    notPaths: field(each(pathPattern), "Paths that the request must not have."),
  },
  checks: [rules.operationIsNotEmpty],
});

const rule = object<spec.AuthorizationRule>({
  fields: {
    from: field(
      list(
        object<spec.RuleFrom>({
          fields: { source: field(source, "Properties of the caller; all of them must hold.", { required: true }) },
        }),
        { minItems: 1, maxItems: 512 },
      ),
      "Callers: any entry.",
    ),
    to: field(
      list(
        object<spec.RuleTo>({
          fields: {
            operation: field(operation, "Properties of the request; all of them must hold.", { required: true }),
          },
        }),
        { minItems: 1 },
      ),
      "Requests: any entry.",
    ),
    when: field(
      list(
        object<spec.Condition>({
          fields: {
            key: field(formatted(conditionKey), "What is compared.", { required: true }),
            values: field(list(text()), "Any of these values."),
            notValues: field(list(text()), "None of these values."),
          },
          checks: [rules.conditionHasValues, rules.conditionValuesFitTheKey],
        }),
      ),
      "Further conditions: all entries.",
    ),
  },
});

export const authorizationPolicyFields = object<spec.AuthorizationPolicySpec>({
  fields: {
    selector: field(
      workloadSelector,
      "Workloads that the policy is for; absent means the namespace, or the mesh in the root namespace.",
    ),
    action: field(oneOf(["ALLOW", "DENY"], ["AUDIT", "CUSTOM"]), "What happens to requests that a rule matches.", {
      default: "ALLOW",
    }),
    rules: field(list(rule, { maxItems: 512 }), "Requests that the action is for: any rule. None means no request."),
  },
  notYet: {
    provider: "External authorizers are not supported yet.",
    targetRef: "Select workloads by selector.",
    targetRefs: "Select workloads by selector.",
  },
  checks: [rules.policyHasRules],
});
