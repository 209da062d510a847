/**
 * Writes docs/reference/envoy-api.md from the tables of fields that the proxy accepts.
 * With --check it writes nothing and exits 1 when the page is not what the tables say.
 */
import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type AcceptedField, type AcceptedFields, acceptedFields } from "../packages/engine/src/load/index.ts";
import { acceptedBootstrapFields } from "../packages/proxy/src/bootstrap/accepted-fields.ts";
import { type DescMessage, typeRegistry } from "../packages/xds/src/api/index.ts";
import { BootstrapSchema } from "../packages/xds/src/api/bootstrap.ts";
import { writeOrCheckPage } from "./generated-page.ts";

interface Section {
  readonly title: string;
  readonly intro: string;
  readonly fields: AcceptedFields;
}

/** A table of accepted fields is a folder's or a file's; the page keeps them apart in the order in which a reader meets them. */
const families: readonly { readonly file: string; readonly title: string }[] = [
  { file: "listener-fields", title: "Listeners, filter chains and TCP" },
  { file: "http-fields", title: "HTTP connection manager and HTTP filters" },
  { file: "route-fields", title: "Routes" },
  { file: "cluster-fields", title: "Clusters and endpoints" },
  { file: "tls-fields", title: "TLS and secrets" },
  { file: "policy-fields", title: "Authorization" },
  { file: "access-log-fields", title: "Access logs" },
];

async function sections(): Promise<Section[]> {
  const found: Section[] = [
    {
      title: "Bootstrap",
      intro: "What `heddle proxy -c` takes. Listeners, clusters and secrets in it are those of the sections below.",
      fields: acceptedBootstrapFields,
    },
  ];
  const folder = new URL("../packages/engine/src/load/accepted/", import.meta.url);
  const files = globSync("*-fields.ts", { cwd: fileURLToPath(folder) }).map((file) => file.replace(/\.ts$/, ""));
  const known = families.map(({ file }) => file);
  for (const file of [...known, ...files.filter((name) => !known.includes(name)).sort()]) {
    const module = (await import(new URL(`${file}.ts`, folder).href)) as Record<string, AcceptedFields>;
    const fields = Object.assign({}, ...Object.values(module)) as AcceptedFields;
    const title = families.find((family) => family.file === file)?.title ?? file.replace(/-fields$/, "");
    found.push({ title: title.charAt(0).toUpperCase() + title.slice(1), intro: "", fields });
  }
  return found;
}

/** Nothing that the loaders accept may be missing here. */
function requireComplete(all: readonly Section[]): void {
  const shown = new Set(all.flatMap(({ fields }) => keysOf(fields)));
  const missing = keysOf(acceptedFields).filter((key) => !shown.has(key));
  if (missing.length > 0) throw new Error(`not on the page: ${missing.join(", ")}`);
}

function keysOf(fields: AcceptedFields): string[] {
  return Object.entries(fields).flatMap(([type, members]) => Object.keys(members).map((name) => `${type}.${name}`));
}

function messageRows(type: string, members: Readonly<Record<string, AcceptedField>>): string[] {
  const desc = messages.get(type);
  const order = desc?.fields.map(({ name }) => name) ?? [];
  const names = Object.keys(members).sort((one, other) => order.indexOf(one) - order.indexOf(other));
  const refused = order.filter((name) => !Object.hasOwn(members, name));
  const rows = names.map((name) => {
    const field = members[name]!;
    const { values, withoutEffect } = field;
    const remarks = [
      ...(values === undefined ? [] : [`only ${values.map((value) => `\`${value}\``).join(", ")}`]),
      ...(withoutEffect === undefined ? [] : [`no effect: ${withoutEffect}`]),
    ];
    return `| \`${name}\` | ${cell(remarks.join("; "))} | ${cell(titleOf(field.proof))} |`;
  });
  return [
    `### \`${type}\``,
    "",
    ...(desc === undefined ? [] : meaning(desc)),
    ...(rows.length === 0
      ? ["Taken as a whole: it has no field."]
      : ["| field | restriction | what holds, by the test that proves it |", "|---|---|---|", ...rows]),
    ...(refused.length === 0 ? [] : ["", `Refused when set: ${refused.map((name) => `\`${name}\``).join(", ")}.`]),
    "",
  ];
}

/** Where Envoy says what the fields mean. */
function meaning({ typeName, file }: DescMessage): string[] {
  if (!typeName.startsWith("envoy.")) return [];
  const page = file.name.replace(/^envoy\//, "");
  const anchor = typeName
    .replace(/^envoy\./, "")
    .replaceAll(".", "-")
    .toLowerCase();
  const base = "https://www.envoyproxy.io/docs/envoy/latest/api-v3";
  return [`Meaning of its fields: [Envoy's reference](${base}/${page}.proto#envoy-v3-api-msg-${anchor}).`, ""];
}

/** Every message that can be reached from a bootstrap or a resource, through whatever Any. */
function reachableMessages(): Map<string, DescMessage> {
  const found = new Map<string, DescMessage>();
  const queue: DescMessage[] = [BootstrapSchema, ...[...typeRegistry].filter((type) => type.kind === "message")];
  for (let desc = queue.pop(); desc !== undefined; desc = queue.pop()) {
    if (found.has(desc.typeName)) continue;
    found.set(desc.typeName, desc);
    for (const field of desc.fields) if (field.message !== undefined) queue.push(field.message);
  }
  return found;
}
const messages = reachableMessages();

function titleOf(proof: string): string {
  return proof.slice(proof.indexOf(" › ") + 3);
}

function cell(text: string): string {
  return text === "" ? "–" : text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
}

async function render(): Promise<string> {
  const all = await sections();
  requireComplete(all);
  const lines = [
    "# The Envoy API, as far as it is supported",
    "",
    "<!-- Generated by scripts/generate-envoy-api.ts from packages/engine/src/load/accepted and packages/proxy/src/bootstrap/accepted-fields.ts. Do not edit. -->",
    "",
    "Every message and field of Envoy's xDS API v3 that `heddle proxy` honours, in a bootstrap and from a control plane alike. A field has Envoy's",
    "meaning. **What is not on this page is refused** when it is set: at start with file, line and path, from a control plane by a NACK that names",
    "the resource and the path. Nothing is ever ignored in silence; a field marked *no effect* says why leaving it out changes nothing.",
    "",
    "The last column is the title of a test in this repository; `npm run test:fields` leaves a field out and demands that its test then fails.",
    "Values of well-known types (durations, wrappers, structs) belong to the field that holds them. A file can be tried without serving it:",
    "`heddle proxy -c envoy.yaml --mode validate`.",
  ];
  for (const { title, intro, fields } of all) {
    lines.push("", `## ${title}`, "");
    if (intro !== "") lines.push(intro, "");
    for (const [type, members] of Object.entries(fields)) lines.push(...messageRows(type, members));
    lines.pop();
  }
  return `${lines.join("\n")}\n`;
}

writeOrCheckPage("docs/reference/envoy-api.md", "scripts/generate-envoy-api.ts", await render());
