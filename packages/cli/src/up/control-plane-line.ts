/** A line of the control plane's log as far as people should see it. */
export type ControlPlaneLine =
  | {
      readonly kind: "rejected" | "warned";
      readonly place: string;
      readonly code: string;
      readonly message: string;
      readonly hint: string;
    }
  | { readonly kind: "mended"; readonly resource: string }
  | { readonly kind: "accepted"; readonly resources: number; readonly changed: readonly string[] }
  | { readonly kind: "problem"; readonly level: "warn" | "error"; readonly message: string }
  | { readonly kind: "other" };

const envelope = new Set(["level", "time", "msg", "pid", "hostname"]);

/** Reads one line of JSON; what is no JSON is a problem, since the control plane writes nothing else before it fails. */
export function readControlPlaneLine(line: string): ControlPlaneLine {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line.trim() === "" ? { kind: "other" } : { kind: "problem", level: "error", message: line };
  }
  const text = (name: string): string => (typeof fields[name] === "string" ? fields[name] : "");
  switch (fields["msg"]) {
    case "resource rejected":
    case "resource finding": {
      const kind = fields["msg"] === "resource rejected" ? "rejected" : "warned";
      const subject = text("resource");
      const message = `${subject === "" ? "" : `${subject}: `}${text("message")}`;
      return { kind, place: text("place"), code: text("code"), message, hint: text("hint") };
    }
    case "resource mended":
      return { kind: "mended", resource: text("resource") };
    case "configuration accepted":
      return {
        kind: "accepted",
        resources: Number(fields["resources"] ?? 0),
        changed: (fields["changed"] ?? []) as string[],
      };
    default:
      if (fields["level"] !== "warn" && fields["level"] !== "error") return { kind: "other" };
      return { kind: "problem", level: fields["level"], message: `${text("msg")}${formatFields(fields)}` };
  }
}

function formatFields(fields: Record<string, unknown>): string {
  return Object.entries(fields)
    .filter(([name]) => !envelope.has(name))
    .map(([name, value]) => ` ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join("");
}
