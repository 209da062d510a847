import { accessLogFields } from "./accepted/access-log-fields.ts";
import { clusterFields } from "./accepted/cluster-fields.ts";
import { httpFields } from "./accepted/http-fields.ts";
import { listenerFields } from "./accepted/listener-fields.ts";
import { policyFields } from "./accepted/policy-fields.ts";
import { routeFields } from "./accepted/route-fields.ts";
import { tlsFields } from "./accepted/tls-fields.ts";
import type { AcceptedFields } from "./field-walker.ts";

/**
 * Every field that the loaders accept, with the test that proves its behaviour. What is not here is refused by the walker
 * with its path; accepted-fields.test.ts sets every field of every message that can be reached and sees that it is one or
 * the other. Fields of well-known types (durations, wrappers, structs) are part of the field that holds them.
 */
export const acceptedFields: AcceptedFields = {
  ...listenerFields,
  ...tlsFields,
  ...accessLogFields,
  ...policyFields,
  ...clusterFields,
  ...routeFields,
  ...httpFields,
};
