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

type Detail = Exclude<keyof spec.ClientTls, "mode">;
type Mode = NonNullable<spec.ClientTls["mode"]>;

/** Which modes read a field. */
const modesOf: Readonly<Record<Detail, readonly Mode[]>> = {
  sni: ["ISTIO_MUTUAL", "SIMPLE", "MUTUAL"],
  subjectAltNames: ["ISTIO_MUTUAL", "SIMPLE", "MUTUAL"],
  caCertificates: ["SIMPLE", "MUTUAL"],
  caCrl: ["SIMPLE", "MUTUAL"],
  clientCertificate: ["MUTUAL"],
  privateKey: ["MUTUAL"],
  insecureSkipVerify: ["SIMPLE", "MUTUAL"],
};

const whyNot: Readonly<Record<Mode, string>> = {
  DISABLE: "without TLS there is no handshake",
  SIMPLE: "with SIMPLE the client shows no certificate",
  MUTUAL: "",
  ISTIO_MUTUAL: "with ISTIO_MUTUAL the mesh brings certificates and authorities",
};

export const tlsDetailsSuitTheMode: Check<spec.ClientTls> = (tls, context) => {
  const mode = tls.mode ?? "DISABLE";
  for (const [name, modes] of Object.entries(modesOf) as [Detail, readonly Mode[]][]) {
    if (tls[name] === undefined || modes.includes(mode)) continue;
    const wanted = modes.join(" or ");
    const message = `${describePath([...context.path, name])} needs mode: ${wanted}; ${whyNot[mode]}.`;
    context.report("HDL0022", [name], message, `Set mode: ${wanted}, or remove the field.`);
  }
};

export const mutualTlsHasACertificate: Check<spec.ClientTls> = (tls, context) => {
  if (tls.mode !== "MUTUAL") return;
  for (const name of ["clientCertificate", "privateKey"] as const) {
    if (tls[name] !== undefined) continue;
    const message = `${describePath([...context.path, "mode"])}: MUTUAL needs ${name}, the file of what the client shows.`;
    const hint = `Add ${name}; or set mode: SIMPLE for TLS without a certificate of the client's, ISTIO_MUTUAL for the mesh's own.`;
    context.report("HDL0022", ["mode"], message, hint);
  }
};

export const skippedVerificationHasNoDetails: Check<spec.ClientTls> = (tls, context) => {
  if (tls.insecureSkipVerify !== true || !modesOf.insecureSkipVerify.includes(tls.mode ?? "DISABLE")) return;
  for (const name of ["caCertificates", "caCrl", "subjectAltNames"] as const) {
    if (tls[name] === undefined) continue;
    const message = `${describePath([...context.path, name])} is not looked at, because insecureSkipVerify is set: nobody verifies the server.`;
    context.report(
      "HDL0032",
      [name],
      message,
      "Remove insecureSkipVerify, so that the server is verified; or remove the field.",
    );
  }
};
