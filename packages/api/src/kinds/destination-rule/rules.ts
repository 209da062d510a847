import { describePath } from "../../schema/check.ts";
import type { Check } from "../../schema/check.ts";
import type * as spec from "./spec.ts";

/** As Istio: a block that is begun must say something. */
export const blockIsNotEmpty: Check<object> = (block, context) => {
  if (Object.keys(block).length > 0) return;
  context.report("HDL0020", [], `${describePath(context.path)} is empty.`, "Set one of its fields, or remove it.");
};

/** istio.md 4.5: blocks that a port's entry omits fall to the defaults, so an empty entry would reset the port in silence. */
export const portHasASetting: Check<spec.PortTrafficPolicy> = (entry, context) => {
  if (entry.loadBalancer !== undefined || entry.connectionPool !== undefined || entry.tls !== undefined) return;
  context.report(
    "HDL0020",
    [],
    `${describePath(context.path)} names a port, but sets none of loadBalancer, connectionPool, tls.`,
  );
};

/** protobuf's zero value of the mode is DISABLE. */
export const tlsHasAMode: Check<spec.ClientTls> = (tls, context) => {
  if (tls.mode === undefined)
    context.report("HDL0033", [], `${describePath(context.path)} has no mode and therefore means plaintext.`);
};

export const disabledTlsHasNoDetails: Check<spec.ClientTls> = (tls, context) => {
  if (tls.mode === "ISTIO_MUTUAL") return;
  for (const name of ["sni", "subjectAltNames"] as const) {
    if (tls[name] === undefined) continue;
    const message = `${describePath([...context.path, name])} needs mode: ISTIO_MUTUAL; without TLS there is no handshake.`;
    context.report("HDL0022", [name], message, "Set mode: ISTIO_MUTUAL, or remove the field.");
  }
};
