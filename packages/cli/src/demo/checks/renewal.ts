import { setTimeout as delay } from "node:timers/promises";
import { httpCall } from "../../local-mesh/admin-client.ts";
import { spiffeId } from "../../local-mesh/proxy-files.ts";
import type { Check } from "../check.ts";
import { Problems, requireNoFailure } from "../check.ts";
import { until } from "../running-demo.ts";
import { readRequest } from "../shop-requests.ts";
import { probeTls } from "../tls-probe.ts";

/** Server of every request from the edge, and client of every one to the other services. */
const proxyOf = "web-0";
const requestsPerSecond = 150;
const beforeMs = 300;
const afterMs = 1000;
const wireLimitMs = 5000;

export const renewal: Check = {
  name: "renewal",
  title: "a certificate forced to renew is on the wire, with no failed request",

  async run(demo) {
    const problems = new Problems();
    const { sidecar, instance, identity } = demo.replica(proxyOf);
    const { pem } = await demo.trustBundle();
    const before = await probeTls(instance, pem);
    const load = demo.startLoad(requestsPerSecond, readRequest);
    await delay(beforeMs);
    const address = await sidecar.adminAddress();
    if (address === undefined) throw new Error(`the proxy of ${proxyOf} has no admin port`);
    const answer = await httpCall(address, "POST", "/certs/renew", { timeoutMs: 15_000 });
    problems.require(answer.status === 200, `POST /certs/renew answered ${answer.status}: ${answer.text.trim()}`);
    const isRenewed =
      answer.status === 200 &&
      (await until(async () => {
        const { serialNumber } = await probeTls(instance, pem);
        return serialNumber !== "" && serialNumber !== before.serialNumber;
      }, wireLimitMs));
    await delay(afterMs);
    const after = await probeTls(instance, pem);
    const outcomes = await load.stop();
    requireNoFailure(problems, outcomes);
    problems.require(isRenewed, `the certificate on the wire still has the serial number ${after.serialNumber}`);
    problems.require(
      after.uris.join(" ") === spiffeId(identity),
      `the new certificate is for ${after.uris.join(" ") || "nobody"}`,
    );
    return {
      problems: problems.list,
      evidence: `${proxyOf} shows serial …${after.serialNumber.slice(-8)} in place of …${before.serialNumber.slice(-8)}; ${outcomes.length} requests, none failed`,
    };
  },

  async sabotage(demo) {
    // There is nobody who could sign.
    await demo.runner.controlPlane.killAndHold();
    return () => demo.ensureControlPlane();
  },
};
