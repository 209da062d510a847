import { formatDuration } from "@heddle/core";
import type { Paint } from "../output/terminal.ts";
import type {
  DestinationExplanation,
  EndpointExplanation,
  Explanation,
  InboundExplanation,
  MeshAnswer,
  Origin,
  RouteExplanation,
  Step,
} from "./explanation.ts";

/** An explanation for people, in the order in which things happen. */
export function formatExplanation(explanation: Explanation, paint: Paint): string {
  const { request, notes, forwarded, refused, steps, route, destinations, answer } = explanation;
  return [
    `${paint("bold", `${request.method} ${request.url}`)} from ${request.from} (${request.identity})`,
    ...notes.map((note) => paint("yellow", `! ${note}`)),
    "",
    paint("bold", "The proxy of the client"),
    ...steps.filter(isTelling).map((step) => formatStep(step, paint)),
    ...(route === null || answer !== null ? [] : formatRoute(route, paint)),
    ...(answer === null ? [] : formatAnswer(answer, paint)),
    ...destinations.flatMap((destination) => ["", ...formatDestination(destination, paint)]),
    "",
    forwarded
      ? paint(["green", "bold"], "→ forwarded")
      : paint([refused ? "red" : "green", "bold"], verdict(explanation)),
    "",
  ].join("\n");
}

/** What every request passes and nobody asks about is left out of the text; JSON has all of it. */
function isTelling({ kind, matched }: Step): boolean {
  return kind !== "edge" && kind !== "header" && (kind !== "filter-chain" || !matched);
}

function formatStep(step: Step, paint: Paint, decidesAgainst = false): string {
  const { matched, origin } = step;
  const mark = decidesAgainst ? paint("red", "×") : matched ? paint("green", "√") : paint("dim", "–");
  const text = describeStep(step);
  return `  ${mark} ${matched ? text : paint("dim", text)}${formatOrigin(origin, paint)}`;
}

/** The names of the wire are left out where the resource says the same, and of the many spellings of a host the one that matched. */
function describeStep({ kind, name, matched, why, origin }: Step): string {
  if (kind === "policy" && origin !== null) return why;
  if (kind === "virtual-host" && matched)
    return `${kind} ${name}: ${why.replace(/ is one of its domains: .*/, " is one of its domains")}`;
  return `${kind} ${name}: ${why}`;
}

function formatRoute(
  { retries, timeoutMs, timeoutOrigin, faults, mirrors, sent, upgrade }: RouteExplanation,
  paint: Paint,
): string[] {
  const lines = [
    `  timeout: ${timeoutMs === 0 ? "none" : formatDuration(timeoutMs)}${formatOrigin(timeoutOrigin, paint)}`,
    `  retries: ${retries === null ? "none" : describeRetries(retries)}${formatOrigin(retries?.origin ?? null, paint)}`,
    ...faults.map(
      ({ kind, percent, delayMs, status, origin }) =>
        `  fault: ${percent} % ${kind === "delay" ? `delayed by ${formatDuration(delayMs)}` : `answered with ${status}`}${formatOrigin(origin, paint)}`,
    ),
    ...mirrors.map((mirror) => `  mirrored to ${mirror}`),
  ];
  if (upgrade !== "")
    lines.push(`  switched to ${upgrade} when the application agrees: bytes both ways, and no mirror`);
  return [...lines, `  sent as ${sent.method} ${sent.path} to ${sent.authority}`];
}

function describeRetries({
  attempts,
  retryOn,
  perTryTimeoutMs,
  onlyIdempotent,
}: NonNullable<RouteExplanation["retries"]>): string {
  const each = perTryTimeoutMs === 0 ? "" : `, ${formatDuration(perTryTimeoutMs)} each`;
  return `up to ${attempts} on ${retryOn.join(", ")}${each}${onlyIdempotent ? "; once anything was sent, only requests that may be repeated" : ""}`;
}

function formatDestination(
  { cluster, percent, origin, loadBalancer, endpoints, inbound, answer }: DestinationExplanation,
  paint: Paint,
): string[] {
  return [
    `${paint("bold", cluster)}${percent === 100 ? "" : `, ${percent} % of the requests`}${formatOrigin(origin, paint)}`,
    ...(answer === null
      ? [`  endpoints by ${loadBalancer.replaceAll("_", " ")}:`, ...formatEndpoints(endpoints, paint)]
      : formatAnswer(answer, paint)),
    ...inbound.flatMap((side) => formatInbound(side, paint)),
  ];
}

/** Replicas of a workload stand together: they come of one declaration. */
function formatEndpoints(endpoints: readonly EndpointExplanation[], paint: Paint): string[] {
  return [...Map.groupBy(endpoints, ({ workload }) => workload).values()].map(
    (replicas) =>
      `    ${replicas.map(({ instance }) => instance).join(", ")}${formatOrigin(replicas[0]?.origin ?? null, paint)}`,
  );
}

const securityWords: Readonly<Record<InboundExplanation["security"], string>> = {
  "mutual TLS": "mutual TLS",
  TLS: "TLS of a DestinationRule's, without an identity of the mesh",
  plaintext: "plaintext",
};

function formatInbound({ workload, security, steps, answer }: InboundExplanation, paint: Paint): string[] {
  const policies = steps.filter(({ kind }) => kind === "policy");
  const chain = steps.find(({ kind }) => kind === "filter-chain");
  // What refuses is the last policy that was looked at; without one the connection did not come about.
  const refusing = answer === null ? undefined : policies.findLast(({ matched }) => matched);
  const isConnected = answer === null || refusing !== undefined;
  return [
    `  ${isConnected ? paint("green", "√") : paint("red", "×")} the proxy of ${workload}: ${securityWords[security]}${formatOrigin(chain?.origin ?? null, paint)}`,
    ...(policies.length === 0
      ? ["    no policy selects it"]
      : policies.map((step) => `  ${formatStep(step, paint, step === refusing)}`)),
    ...(answer === null ? [] : formatAnswer(answer, paint).map((line) => `  ${line}`)),
  ];
}

function formatAnswer(answer: MeshAnswer, paint: Paint): string[] {
  const { status, body, details, flags, location, hint, intended, origin } = answer;
  const what = [
    `${status}`,
    ...(body === "" ? [] : [`"${body}"`]),
    ...(location === "" ? [] : [`to ${location}`]),
  ].join(" ");
  const log = [details, ...flags].filter((part) => part !== "").join(" ");
  return [
    `  ${intended ? paint("green", "√") : paint("red", "×")} the mesh answers ${what}${log === "" ? "" : paint("dim", ` (${log})`)}${formatOrigin(origin, paint)}`,
    ...(hint === "" ? [] : [`    ${paint("dim", `→ ${hint}`)}`]),
  ];
}

function formatOrigin(origin: Origin | null, paint: Paint): string {
  if (origin === null) return "";
  const rule = origin.rule === "" ? "" : ` ${origin.rule}`;
  return ` ${paint("cyan", `[${origin.resource}${rule}, ${origin.file}:${origin.line}]`)}`;
}

function verdict({ refused, answer, destinations }: Explanation): string {
  if (answer !== null)
    return refused
      ? `× answered by the mesh with ${answer.status}`
      : `→ answered with ${answer.status}, as its route says`;
  const answers = destinations.flatMap((destination) => [
    destination.answer,
    ...destination.inbound.map((side) => side.answer),
  ]);
  const statuses = [...new Set(answers.flatMap((each) => (each === null ? [] : [each.status])))].join(" or ");
  const some = destinations.some(
    (destination) => destination.answer === null && destination.inbound.some(({ accepted }) => accepted),
  );
  return `× answered by the mesh with ${statuses}${some ? " on some of its ways" : ""}`;
}
