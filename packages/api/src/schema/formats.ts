import { parseDuration } from "@heddle/core";
import { RE2JS } from "re2js";
import { patternFormat, refinedFormat } from "./text-format.ts";
import type { TextFormat } from "./text-format.ts";

/** A duration of at least 1 ms: the published schemas' `duration(self) >= duration('1ms')`. */
export const duration: TextFormat = {
  name: "duration",
  what: "a duration",
  hint: "Write numbers with units, as in 300ms, 1.5s or 1h2m; at least 1ms.",
  pattern: "^(?:\\d+(?:\\.\\d*)?|\\.\\d+)",
  problem: (value) => {
    const ms = parseDuration(value);
    if (ms === undefined) return /^\d+(?:\.\d+)?$/.test(value) ? "has no unit" : "";
    return ms >= 1 ? undefined : "is shorter than 1ms";
  },
};

/** As the engine's: longer or larger ones would take memory out of proportion (`(x{1000}){1000}`). */
const maxRegexLength = 4096;
const maxRegexProgramSize = 20_000;

/** RE2 is what the engine matches with, so RE2 decides what is an expression. */
export const regex: TextFormat = {
  name: "RE2 expression",
  what: "a regular expression in RE2 syntax",
  hint: "Mend the expression; RE2 has no look-around and no back-references: https://github.com/google/re2/wiki/Syntax.",
  code: "HDL0018",
  problem: (value) => {
    if (value.length > maxRegexLength) return `is longer than ${maxRegexLength} characters`;
    try {
      return RE2JS.compile(value).programSize() > maxRegexProgramSize ? "is too large once compiled" : undefined;
    } catch (error) {
      // The only way the library tells about a wrong expression.
      return `fails with: ${error instanceof Error ? error.message.replace(/^error parsing regexp: /, "") : "unreadable"}`;
    }
  },
};

const label = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?";
const labelHint =
  "Use lower-case letters, digits and dashes; at most 63 characters, with a letter or digit at both ends.";

/** RFC 1123 label: names of namespaces, services, subsets, workloads. */
export const dnsLabel = patternFormat("DNS label", "a DNS label", new RegExp(`^${label}$`), labelHint);

/** RFC 1123 subdomain: names of resources. */
export const resourceName: TextFormat = refinedFormat(
  patternFormat("resource name", "a resource name", new RegExp(`^${label}(?:\\.${label})*$`), labelHint),
  {
    name: "resource name",
    what: "a resource name",
    hint: "Use lower-case letters, digits, dashes and dots; at most 253 characters, with a letter or digit at both ends of each part.",
    problem: (value) => (value.length > 253 ? "is longer than 253 characters" : undefined),
  },
);

const hostLabel = "[A-Za-z0-9_](?:[-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?";
const hostHint = "Write a service name (reviews) or a full name (reviews.default.svc.cluster.local).";

/** A host that exists: no wildcard. */
export const hostName: TextFormat = refinedFormat(
  patternFormat("host name", "a host name", new RegExp(`^${hostLabel}(?:\\.${hostLabel})*$`), hostHint),
  {
    name: "host name",
    what: "a host name",
    hint: hostHint,
    problem: (value) => (value.length > 255 ? "is longer than 255 characters" : undefined),
  },
);

const wildcardHint = "Write a service name, a full name, or a wildcard such as *.default.svc.cluster.local.";

/** A host name whose first label may be `*`. A lone `*` is not one. */
export const wildcardHost: TextFormat = {
  name: "host name or wildcard",
  what: "a host name",
  hint: wildcardHint,
  pattern: `^(?:\\*\\.)?${hostLabel}(?:\\.${hostLabel})*$`,
  problem: (value) => {
    if (value === "*") return "covers every host, which a resource of the mesh may not";
    return hostName.problem(value.startsWith("*.") ? value.slice(2) : value);
  },
};

const labelName = "[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?";

/** A Kubernetes label key: an optional DNS prefix and a name. */
export const labelKey = patternFormat(
  "label name",
  "a label name",
  new RegExp(`^(?:${label}(?:\\.${label})*/)?${labelName}$`),
  "Use letters, digits, dashes, dots and underscores; at most 63 characters, after an optional prefix such as example.com/.",
);

/** A Kubernetes label value; may be empty. */
export const labelValue = patternFormat(
  "label value",
  "a label value",
  new RegExp(`^(?:${labelName})?$`),
  "Use letters, digits, dashes, dots and underscores; at most 63 characters, with a letter or digit at both ends.",
);

/** RFC 9110 §5.6.2 token. */
export const headerName = patternFormat(
  "header name",
  "a header name",
  /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/,
  "Header names are made of letters, digits and dashes, without spaces or colons.",
);

/** RFC 9110 §5.5: what can be sent, as UTF-8, without being read as the end of a header. */
export const headerValue: TextFormat = {
  name: "header value",
  what: "a header value",
  hint: "Header values are printable characters, spaces and tabs, on one line.",
  problem: (value) =>
    /[\0-\x08\x0a-\x1f\x7f]/.test(value) || !value.isWellFormed()
      ? "holds a character that a header cannot carry"
      : undefined,
};

/** Port as text, 0 to 65535, as AuthorizationPolicy writes it. */
export const portText = patternFormat(
  "port",
  "a port",
  portPattern(0),
  'Write a port from 0 to 65535 in quotes, as in "8080".',
);

/** Port as a key, 1 to 65535. */
export const portKey = patternFormat("port", "a port", portPattern(1), "Write a port from 1 to 65535.");

/** A path as an HTTP request line carries it. */
export const urlPath = patternFormat(
  "path",
  "a path",
  /^\/[\x21-\x7e]*$/,
  "Begin with a slash; write spaces and other special characters percent-encoded.",
);

/** A file by its whole path: which folder a relative one would be looked for in depends on who reads it. */
export const absolutePath: TextFormat = {
  name: "absolute path",
  what: "an absolute path",
  hint: "Begin with a slash, as in /etc/certs/ca.pem.",
  pattern: "^/",
  problem: (value) => (value.startsWith("/") && !value.includes("\0") ? undefined : ""),
};

export const base64 = patternFormat(
  "base64",
  "base64 text",
  /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
  "Encode the bytes as base64, with padding.",
);

/** RFC 3339 date and time. */
export const timestamp: TextFormat = {
  name: "date and time",
  what: "a date and time",
  hint: "Write it as in 2026-08-22T09:30:00Z.",
  pattern: "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(?:\\.\\d+)?(?:Z|[+-]\\d{2}:\\d{2})$",
  problem: (value) =>
    /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/.test(value) &&
    !Number.isNaN(Date.parse(value))
      ? undefined
      : "",
};

function portPattern(lowest: 0 | 1): RegExp {
  const zero = lowest === 0 ? "0|" : "";
  return new RegExp(`^(?:${zero}[1-9]\\d{0,3}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d{2}|655[0-2]\\d|6553[0-5])$`);
}
