import type { TextFormat } from "../../schema/text-format.ts";

/** Envoy's x-envoy-retry-on and x-envoy-retry-grpc-on words that Istio accepts in `retryOn`. */
const retryWords = [
  "5xx",
  "gateway-error",
  "reset",
  "reset-before-request",
  "connect-failure",
  "retriable-4xx",
  "refused-stream",
  "retriable-status-codes",
  "cancelled",
  "deadline-exceeded",
  "internal",
  "resource-exhausted",
  "unavailable",
] as const;

/** Words that Istio accepts and that would do nothing here. */
const notYetWords = ["retriable-headers", "envoy-ratelimited", "http3-post-connect-failure"];

export const retryConditions: TextFormat = {
  name: "retry conditions",
  what: "a list of retry conditions",
  hint: `Separate the words by commas, without spaces: ${retryWords.join(", ")}, or status codes such as 503.`,
  notYet: (value) => {
    const word = value.split(",").find((each) => notYetWords.includes(each));
    return word === undefined ? undefined : `Leave out ${word}.`;
  },
  problem: (value) => {
    for (const word of value.split(",")) {
      if (!retryWords.includes(word as (typeof retryWords)[number]) && !/^[1-5]\d\d$/.test(word))
        return `contains ${JSON.stringify(word)}`;
    }
    return undefined;
  },
};
