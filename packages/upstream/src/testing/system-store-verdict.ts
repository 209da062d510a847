// What the machine's own trust store makes of the chain on standard input (base64 DER, a line each): the verdict as JSON on standard output.
import { text } from "node:stream/consumers";
import { verifyPeer } from "@heddle/net";
import { peerPolicyOf } from "../tls/peer-policy.ts";

const chain = (await text(process.stdin)).split("\n").map((line) => Buffer.from(line, "base64"));
const built = peerPolicyOf({ trustedCa: { store: "system" }, matchSubjectAltNames: [], crlPem: undefined }, "server", {
  epoch: 1,
  get: () => undefined,
});
const verdict =
  built.ok && built.policy !== undefined ? verifyPeer(chain, built.policy, Date.now()) : { ...built, code: "" };
process.stdout.write(JSON.stringify(verdict.ok ? "" : [verdict.code, "reason" in verdict ? verdict.reason : ""]));
