import { refinedFormat } from "../../schema/text-format.ts";
import type { TextFormat } from "../../schema/text-format.ts";
import { anyText } from "../../schema/text-format.ts";

/** `<namespace>/<account>` or `<account>`, exact (istio.md 4.1.4). */
export const serviceAccount: TextFormat = {
  name: "service account",
  what: "a service account",
  hint: "Write <namespace>/<account>, or <account> for one in the policy's namespace; wildcards are not allowed here, use principals for them.",
  pattern: "^[^*]+$",
  problem: (value) => {
    const parts = value.split("/");
    if (parts.length > 2) return "has more than one slash";
    if (value.includes("*")) return "holds a *";
    return parts.every((part) => /^[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?$/.test(part)) ? undefined : "";
  },
};

/** Exact, or one `*`: alone, at the begin, or at the end (istio.md 4.1.4). */
export const trustDomain: TextFormat = {
  name: "trust domain",
  what: "a trust domain",
  hint: "Write the trust domain (cluster.local), or one * alone, before or after a text.",
  problem: (value) => {
    const stars = value.split("*").length - 1;
    if (stars > 1) return "holds more than one *";
    if (stars === 1 && !value.startsWith("*") && !value.endsWith("*")) return "holds a * in the middle";
    return value.includes("/") ? "holds a slash" : undefined;
  },
};

/** A `*` may stand in any position (istio.md 4.1.4). */
export const namespacePattern: TextFormat = {
  name: "namespace or pattern",
  what: "a namespace or a pattern of one",
  hint: "Write a namespace; * stands for any text.",
  pattern: "^[-a-z0-9*]+$",
  problem: (value) => (/^[-a-z0-9*]+$/.test(value) ? undefined : ""),
};

/**
 * Exact, prefix (`/a*`), suffix (`*.jpg`), `*`, or a template (istio.md 4.1.5): `{*}` is one segment, `{**}` any number of them and
 * the last operator; operators fill whole segments and do not mix with a plain `*`.
 */
export const pathPattern: TextFormat = refinedFormat(anyText, {
  name: "path pattern",
  what: "a path or a path template",
  hint: "Write /exact, /prefix*, *suffix, *, or a template such as /users/{*}/orders or /files/{**}.",
  problem: (value) => {
    if (!value.includes("{*}") && !value.includes("{**}")) return undefined;
    const rest = value.replaceAll(/\{\*{1,2}\}/g, "");
    if (/[*{}]/.test(rest)) return "mixes a template with * or with braces of another kind";
    if (!value.startsWith("/")) return "does not begin with a slash";
    const segments = value.slice(1).split("/");
    if (segments.some((segment) => segment.includes("{") && segment !== "{*}" && segment !== "{**}"))
      return "has an operator that does not fill its whole segment";
    const deep = segments.indexOf("{**}");
    const isLast = deep < 0 || segments.slice(deep + 1).every((segment) => !segment.includes("{"));
    return isLast ? undefined : "has an operator after {**}";
  },
});
