import { headerName } from "../../schema/formats.ts";
import { portText } from "../../schema/formats.ts";
import { addressOrRange } from "../../schema/ip-address.ts";
import { nearestName } from "../../schema/nearest-name.ts";
import { anyText } from "../../schema/text-format.ts";
import type { TextFormat } from "../../schema/text-format.ts";
import { namespacePattern, serviceAccount, trustDomain } from "./formats.ts";

/** The keys of `when` and the form of their values. */
const conditionKeys: Readonly<Record<string, TextFormat>> = {
  "request.headers[…]": anyText,
  "source.ip": addressOrRange,
  "remote.ip": addressOrRange,
  "source.namespace": namespacePattern,
  "source.principal": anyText,
  "source.serviceAccount": serviceAccount,
  "source.trustDomain": trustDomain,
  "destination.ip": addressOrRange,
  "destination.port": portText,
  "connection.sni": anyText,
};

const headerKey = /^request\.headers\[([^\]]*)\]$/;
const notYetKey =
  /^(?:request\.auth\.(?:principal|audiences|presenter|claims(?:\[[^\]]*\])+)|experimental\.envoy\.filters\..*)$/;

export const conditionKey: TextFormat = {
  name: "condition key",
  what: "a key that conditions know",
  hint: `Known keys: ${Object.keys(conditionKeys).join(", ")}.`,
  notYet: (key) =>
    notYetKey.test(key)
      ? "Requests are not authenticated by token yet; source.principal matches the caller's workload."
      : undefined,
  problem: (key) => {
    const header = headerKey.exec(key);
    if (header !== null)
      return headerName.problem(header[1] ?? "") === undefined
        ? undefined
        : "does not hold a header name in its brackets";
    if (Object.hasOwn(conditionKeys, key) && !key.includes("[")) return undefined;
    if (key.startsWith("request.headers")) return "must be written request.headers[name]";
    const nearest = nearestName(key, Object.keys(conditionKeys));
    return nearest === undefined ? "" : `may be meant as ${nearest}`;
  },
};

/** The form of the values that belong to an accepted key. */
export function conditionValueFormat(key: string): TextFormat {
  return conditionKeys[headerKey.test(key) ? "request.headers[…]" : key] ?? anyText;
}
