import { headerValue } from "../../schema/formats.ts";
import { refinedFormat } from "../../schema/text-format.ts";

/** Envoy's operators that the engine fills in (`bind/format.ts`), without arguments. */
const operators: readonly string[] = [
  "DOWNSTREAM_REMOTE_ADDRESS",
  "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
  "DOWNSTREAM_REMOTE_PORT",
  "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
  "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
  "DOWNSTREAM_DIRECT_REMOTE_PORT",
  "DOWNSTREAM_LOCAL_ADDRESS",
  "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
  "DOWNSTREAM_LOCAL_PORT",
  "DOWNSTREAM_PEER_URI_SAN",
  "DOWNSTREAM_PEER_DNS_SAN",
  "DOWNSTREAM_PEER_SUBJECT",
  "DOWNSTREAM_PEER_FINGERPRINT_256",
  "DOWNSTREAM_LOCAL_URI_SAN",
  "REQUESTED_SERVER_NAME",
  "ROUTE_NAME",
  "UPSTREAM_CLUSTER",
  "UPSTREAM_HOST",
];

const withHeader = /^(?:REQ|RESP|REQUEST_HEADER|RESPONSE_HEADER)\([^()?]+(?:\?[^()?]+)?\)(?::\d+)?$/;
const pieces = /%%|%([^%]*)%|%/g;

/** A header value as Envoy reads it, and so Istio: `%NAME%` is an operator, `%%` a percent sign. */
export const headerFormat = refinedFormat(headerValue, {
  name: "header value",
  what: "a header value",
  hint: "Header values are printable characters on one line; write %% for a percent sign, %NAME% for one of Envoy's operators.",
  problem: (value) =>
    [...value.matchAll(pieces)].some(([piece]) => piece === "%") ? "holds a % that opens no operator" : undefined,
  notYet: (value) => {
    for (const [, operator] of value.matchAll(pieces)) {
      if (operator === undefined || operators.includes(operator) || withHeader.test(operator)) continue;
      return `The operator %${operator}% does not work yet; those that do: %REQ(name)%, %RESP(name)%, %${operators.join("%, %")}%.`;
    }
    return undefined;
  },
});
