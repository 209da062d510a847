export type Severity = "error" | "warning" | "info";

/** One row of the table of findings; the page `docs/reference/findings.md` is made of it. */
export interface FindingDescription {
  readonly severity: Severity;
  /** What happened, as a heading. */
  readonly title: string;
  /** Why it is reported and what follows. */
  readonly text: string;
  /** What to do, when the place where it is found knows nothing better. */
  readonly hint: string;
}

/**
 * Every finding there is. A code keeps its meaning for ever: what is no longer reported leaves a gap.
 * 00xx: one resource read alone. 01xx: resources beside each other. 02xx: what became of a resource.
 */
export const findingCodes = {
  HDL0001: {
    severity: "error",
    title: "Not valid YAML",
    text: "The text cannot be read as YAML, so no resource in this document is known.",
    hint: "Mend the line; indentation is made of spaces, never of tabs.",
  },
  HDL0002: {
    severity: "error",
    title: "A key is written twice",
    text: "A mapping holds the same key twice. Only one could take effect, so neither does.",
    hint: "Keep one of the two.",
  },
  HDL0003: {
    severity: "error",
    title: "Not a resource",
    text: "A document must be a mapping with apiVersion, kind, metadata and spec.",
    hint: "Begin the document with apiVersion and kind, or remove it.",
  },
  HDL0004: {
    severity: "error",
    title: "Kind not supported yet",
    text: "The kind is known, but this version of Heddle does not carry it out. It is refused rather than ignored.",
    hint: "Remove the resource from what Heddle reads, or see docs/reference/resources.md for what is supported.",
  },
  HDL0005: {
    severity: "error",
    title: "Unknown kind",
    text: "No kind of this name is known.",
    hint: "Check the spelling; kinds are written with capitals, as in VirtualService.",
  },
  HDL0006: {
    severity: "error",
    title: "Unknown apiVersion",
    text: "The kind is known, but not under this group or version.",
    hint: "Write one of the versions named in the message.",
  },
  HDL0007: {
    severity: "error",
    title: "The document could not be taken apart",
    text: "The document is nested too deeply, or its aliases unfold to too much.",
    hint: "Write the resource out plainly, without aliases that contain aliases.",
  },
  HDL0008: {
    severity: "error",
    title: "File cannot be read",
    text: "The file is there, but its text could not be read. What was accepted from it before stays in force.",
    hint: "Check the file's permissions and that it is a text file in UTF-8.",
  },
  HDL0010: {
    severity: "error",
    title: "Unknown field",
    text: "The kind has no field of this name here. It would have had no effect.",
    hint: "Check the spelling and the indentation, or remove the field.",
  },
  HDL0011: {
    severity: "error",
    title: "Wrong type",
    text: "The value is not of the type that the field takes.",
    hint: "Write a value of the expected type.",
  },
  HDL0012: {
    severity: "error",
    title: "Field not supported yet",
    text: "The field belongs to the kind, but this version of Heddle does not carry it out. It is refused rather than ignored.",
    hint: "Remove the field, or see docs/reference/resources.md for what is supported.",
  },
  HDL0013: {
    severity: "error",
    title: "Required field missing",
    text: "The resource has no meaning without this field.",
    hint: "Add the field.",
  },
  HDL0014: {
    severity: "error",
    title: "Out of bounds",
    text: "The number, the length of the text or the number of entries is outside of what the field allows.",
    hint: "Stay within the bounds named in the message.",
  },
  HDL0015: {
    severity: "error",
    title: "Not one of the allowed values",
    text: "The field takes one of a few words, and this is none of them.",
    hint: "Write one of the values named in the message.",
  },
  HDL0016: {
    severity: "error",
    title: "Value not supported yet",
    text: "The value is a valid one, but this version of Heddle does not carry it out. It is refused rather than ignored.",
    hint: "Use one of the supported values, or see docs/reference/resources.md.",
  },
  HDL0017: {
    severity: "error",
    title: "Malformed value",
    text: "The text does not have the form that the field needs, such as a duration, a host name or an address.",
    hint: "Write the value in the form named in the message.",
  },
  HDL0018: {
    severity: "error",
    title: "Malformed regular expression",
    text: "Regular expressions follow RE2, which has no look-around and no back-references.",
    hint: "Mend the expression; the syntax is at https://github.com/google/re2/wiki/Syntax.",
  },
  HDL0019: {
    severity: "error",
    title: "Fields exclude each other",
    text: "Only one of these fields may be set.",
    hint: "Keep one of them.",
  },
  HDL0020: {
    severity: "error",
    title: "Nothing is set",
    text: "The block must hold at least one of its fields to mean something.",
    hint: "Set one of the fields named in the message, or remove the block.",
  },
  HDL0021: {
    severity: "error",
    title: "Weights add up to zero",
    text: "With several destinations at least one needs a weight above zero, or no request could go anywhere.",
    hint: "Give the destinations weights whose sum is above zero; 100 is usual.",
  },
  HDL0022: {
    severity: "error",
    title: "Field needs another one",
    text: "The field has a meaning only together with another field or value, and that is missing.",
    hint: "Add what the message names, or remove the field.",
  },
  HDL0023: {
    severity: "error",
    title: "Written twice",
    text: "Two entries of one list carry the same name, so it is unclear which one is meant.",
    hint: "Give each entry a name of its own.",
  },
  HDL0030: {
    severity: "warning",
    title: "Rule can never match",
    text: "Routes are tried from top to bottom, and those above match every request that this one does.",
    hint: "Move the rule above those that the message names, or remove it.",
  },
  HDL0031: {
    severity: "warning",
    title: "Timeout and retries do not concern an injected fault",
    text: "As in Istio, an injected abort is not retried and an injected delay does not count against the timeout; other requests of the route keep both.",
    hint: "Put the fault in a route of its own (a match on a header, for example), or remove the timeout and retries while you test.",
  },
  HDL0032: {
    severity: "warning",
    title: "Field has no effect",
    text: "The field is accepted, but the resource as a whole gives it nothing to do.",
    hint: "Remove the field.",
  },
  HDL0033: {
    severity: "warning",
    title: "TLS settings without a mode mean plaintext",
    text: "A tls block without a mode is read as DISABLE, as Istio does: calls to this host leave the mesh's mutual TLS.",
    hint: "Write mode: ISTIO_MUTUAL, or remove the tls block to let the mesh decide; write mode: DISABLE if plaintext is meant.",
  },
  HDL0034: {
    severity: "warning",
    title: "Policy never matches",
    text: "A DENY policy without rules matches no request and so does nothing. (An ALLOW policy without rules is the usual way to deny everything.)",
    hint: "Add rules; `rules: [{}]` matches every request.",
  },
  HDL0035: {
    severity: "warning",
    title: "Kubernetes would read this word as true or false",
    text: "YAML 1.1, which Kubernetes follows, takes an unquoted yes, no, on or off for a boolean; Heddle takes it for text.",
    hint: "Put the word in quotes, so that it means the same everywhere.",
  },
  HDL0101: {
    severity: "error",
    title: "Resource written twice",
    text: "Two documents hold the same kind, namespace and name. Neither is taken.",
    hint: "Remove one of the two, or rename it.",
  },
  HDL0102: {
    severity: "error",
    title: "Unknown host",
    text: "A destination names a host that no service has; requests would find no cluster.",
    hint: "Name a service of the mesh; a name without dots is looked up in the resource's own namespace.",
  },
  HDL0103: {
    severity: "warning",
    title: "Host without a service",
    text: "The resource is written for a host that no service has, so it has no effect.",
    hint: "Name a service of the mesh; a name without dots is looked up in the resource's own namespace.",
  },
  HDL0104: {
    severity: "error",
    title: "Unknown subset",
    text: "A destination names a subset that no DestinationRule of its host defines; requests would find no cluster.",
    hint: "Define the subset in a DestinationRule for the host, or name one of those that exist.",
  },
  HDL0105: {
    severity: "warning",
    title: "Two VirtualServices for one host",
    text: "In the mesh VirtualServices are not merged: for each host the oldest one is used and the others are not.",
    hint: "Put the routes into one VirtualService, or remove the host from one of the two.",
  },
  HDL0106: {
    severity: "warning",
    title: "Policy selects no workload",
    text: "The labels of the selector belong to no workload in its scope, so the policy has no effect now.",
    hint: "Compare the selector with the labels of the workloads, and the namespace of the policy with theirs.",
  },
  HDL0107: {
    severity: "warning",
    title: "Subset selects no workload",
    text: "No workload of the host has the labels of the subset; requests sent to it would be answered with 503.",
    hint: "Compare the subset's labels with those of the workloads: app is the service, version is the version.",
  },
  HDL0108: {
    severity: "info",
    title: "References were not judged",
    text: "Hosts and selectors are judged against the services of a LocalMesh, and the files hold none.",
    hint: "Validate the files together with the LocalMesh they belong to.",
  },
  HDL0109: {
    severity: "error",
    title: "More than one LocalMesh",
    text: "A folder describes one local mesh.",
    hint: "Keep one LocalMesh; its workloads may span namespaces.",
  },
  HDL0110: {
    severity: "error",
    title: "Unknown service in a LocalMesh",
    text: "The edge or a workload names a service that no workload of the LocalMesh provides.",
    hint: "Name a service as <service> or <service>.<namespace>.",
  },
  HDL0111: {
    severity: "error",
    title: "Unknown port",
    text: "The destination's service does not listen on this port.",
    hint: "Name the port of the service, or leave the port out: with one port it is clear which is meant.",
  },
  HDL0112: {
    severity: "warning",
    title: "Older DestinationRule wins",
    text: "DestinationRules of one host and namespace are merged: all of their subsets, and the traffic policy of the oldest that has one. What two of them define is taken from the oldest.",
    hint: "Keep one definition.",
  },
  HDL0113: {
    severity: "warning",
    title: "Selector has no effect in the root namespace",
    text: "In the root namespace a PeerAuthentication holds for the whole mesh only without a selector; with one it is used for no workload elsewhere.",
    hint: "Move the policy into the workload's namespace.",
  },
  HDL0114: {
    severity: "warning",
    title: "Older policy wins",
    text: "Several PeerAuthentication policies hold at one level (mesh, namespace, or the same workload). Only the oldest is used.",
    hint: "Keep one policy for each level.",
  },
  HDL0115: {
    severity: "warning",
    title: "Port that no service has",
    text: "The condition or setting is for a port that the services or workloads concerned do not serve. A condition on it is never true; a mode of mutual TLS for it counts only where all traffic is intercepted (mode namespaces).",
    hint: "Name a port that the message lists.",
  },
  HDL0116: {
    severity: "warning",
    title: "Unknown caller",
    text: "A policy names an identity that no workload of the mesh has. An ALLOW rule for it allows nobody, a DENY rule stops nobody.",
    hint: "Write <trust domain>/ns/<namespace>/sa/<account>, with an account of the mesh.",
  },
  HDL0117: {
    severity: "warning",
    title: "Subset that some callers do not know",
    text: "Which DestinationRules hold depends on the caller's namespace: its own come first, then the service's, then those of the root namespace; they are not merged. Requests of these callers would find no cluster.",
    hint: "Define the subset in the DestinationRule that holds for these callers, too.",
  },
  HDL0118: {
    severity: "error",
    title: "Setting that needs a restart of the mesh",
    text: "Trust domain and root namespace stand in every certificate and policy that the running mesh has given out, so they hold for as long as it runs.",
    hint: "End the mesh and start it again with the new setting, or set the old one back.",
  },
  HDL0119: {
    severity: "warning",
    title: "Edge in front of a service that speaks TLS",
    text: "The edge takes HTTP and sends it on without TLS, but the workloads of its service take TLS alone (protocol https or tls): every request fails.",
    hint: "Write a DestinationRule for the service with trafficPolicy.tls.mode: SIMPLE.",
  },
  HDL0120: {
    severity: "warning",
    title: "File of TLS is missing",
    text: "A DestinationRule names a file for its TLS that is not on this machine, where the mesh's proxies run. They refuse the cluster: the version before stays in force, or, without one, requests to the host fail with 503. A file that comes later counts when the rule changes again.",
    hint: "Put the file there before the rule is applied, or correct its path. `heddle proxy-status` names the proxies of a running mesh that refuse it.",
  },
  HDL0201: {
    severity: "warning",
    title: "Earlier version stays in force",
    text: "The resource has an error, so the version that was accepted before goes on being used.",
    hint: "Mend the errors of the resource; the new version is then taken.",
  },
  HDL0202: {
    severity: "warning",
    title: "Broken policy denies",
    text: "A security resource cannot be used and no earlier version was accepted. To be safe, every request that it may concern is denied.",
    hint: "Mend the errors of the resource, or remove it.",
  },
  HDL0203: {
    severity: "error",
    title: "Change would break a route",
    text: "The resource no longer defines what a VirtualService in force refers to. The earlier version stays in force.",
    hint: "Change the VirtualService first, or both together.",
  },
} as const satisfies Record<`HDL${string}`, FindingDescription>;

export type FindingCode = keyof typeof findingCodes;
