import { patternFormat } from "../../schema/text-format.ts";

const label = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?";

export const environmentName = patternFormat(
  "environment variable",
  "the name of an environment variable",
  /^[A-Za-z_][A-Za-z0-9_]*$/,
  "Use letters, digits and underscores, beginning with a letter.",
);

export const serviceReference = patternFormat(
  "service reference",
  "a service of the mesh",
  new RegExp(`^${label}(?:\\.${label})?$`),
  "Write <service>, or <service>.<namespace> for one in another namespace.",
);

/** SPIFFE ID specification, section 2.1: lower-case letters, digits, dots, dashes, underscores. */
export const trustDomainName = patternFormat(
  "trust domain",
  "a trust domain",
  /^[a-z0-9](?:[-a-z0-9._]{0,253}[a-z0-9])?$/,
  "Use lower-case letters, digits, dots, dashes and underscores.",
);
