import type { MutableHeaders, PeerMetadata } from "@heddle/engine";
import type { WorkloadLabels } from "@heddle/telemetry";

const headerName = "baggage";

/** Members of W3C `baggage` that name a workload, as Istio's ambient mode uses them, each with our label. */
const members: readonly (readonly [key: string, label: keyof WorkloadLabels])[] = [
  ["k8s.deployment.name", "workload"],
  ["k8s.namespace.name", "namespace"],
  ["service.name", "canonicalService"],
  ["service.version", "canonicalRevision"],
  ["app.name", "app"],
  ["app.version", "version"],
  ["k8s.cluster.name", "cluster"],
];
const labelOf = new Map(members);

/** Different peers are few; what a peer makes up must not fill memory. */
const maxCached = 1_000;
/** W3C Baggage §3.3.1: at least this much is to be propagated; longer ones are not looked into. */
const maxHeaderLength = 8_192;

interface Parsed {
  readonly labels: WorkloadLabels | undefined;
  /** The members that are not ours. */
  readonly rest: string;
}

/** The labels of the workload that a configuration names. */
export function labelsOf(local: PeerMetadata): WorkloadLabels {
  const { workload, namespace, canonicalService, canonicalRevision, app, version, cluster } = local;
  return { workload, namespace, canonicalService, canonicalRevision, app, version, cluster };
}

/** The members that tell a peer who we are. */
export function encodePeerMetadata(local: PeerMetadata): string {
  const labels = labelsOf(local);
  return members
    .filter(([, label]) => labels[label] !== "")
    .map(([key, label]) => `${key}=${encodeURIComponent(labels[label])}`)
    .join(",");
}

/** Reads and writes the workload's members of `baggage`; members of applications pass untouched. */
export class PeerMetadataCodec {
  readonly #cache = new Map<string, Parsed>();

  /** Says who we are; what an application or a client put under our names does not go on. */
  announce(headers: MutableHeaders, encoded: string): void {
    const present = headers.get(headerName);
    const rest = present === undefined ? "" : this.#parse(present).rest;
    if (encoded !== "") headers.set(headerName, rest === "" ? encoded : `${rest},${encoded}`);
    else if (present !== undefined) restore(headers, rest);
  }

  /** Takes the peer's members out of a request, so that the application sees only its own. */
  take(headers: MutableHeaders): WorkloadLabels | undefined {
    const present = headers.get(headerName);
    if (present === undefined) return undefined;
    const { labels, rest } = this.#parse(present);
    if (labels !== undefined) restore(headers, rest);
    return labels;
  }

  #parse(text: string): Parsed {
    const known = this.#cache.get(text);
    if (known !== undefined) return known;
    const parsed = text.length > maxHeaderLength ? { labels: undefined, rest: text } : parse(text);
    if (this.#cache.size >= maxCached) this.#cache.clear();
    this.#cache.set(text, parsed);
    return parsed;
  }
}

function restore(headers: MutableHeaders, rest: string): void {
  if (rest === "") headers.remove(headerName);
  else headers.set(headerName, rest);
}

function parse(text: string): Parsed {
  const labels: Record<keyof WorkloadLabels, string> = {
    workload: "",
    namespace: "",
    canonicalService: "",
    canonicalRevision: "",
    app: "",
    version: "",
    cluster: "",
  };
  const rest: string[] = [];
  let isFound = false;
  for (const member of text.split(",")) {
    const [pair = ""] = member.split(";");
    const equals = pair.indexOf("=");
    const label = equals < 0 ? undefined : labelOf.get(pair.slice(0, equals).trim());
    if (label === undefined) {
      if (member.trim() !== "") rest.push(member.trim());
      continue;
    }
    isFound = true;
    labels[label] = decode(pair.slice(equals + 1).trim());
  }
  return { labels: isFound ? labels : undefined, rest: rest.join(",") };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not percent-encoded after all: the label shows what was sent.
    return text;
  }
}
