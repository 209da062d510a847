import { formatDuration } from "@heddle/core";
import type { Paint } from "../output/terminal.ts";
import type {
  DestinationExplanation,
  Explanation,
  InboundExplanation,
  MeshAnswer,
  Origin,
  RouteExplanation,
  Step,
} from "./explanation.ts";

/** An explanation for people, in the order in which things happen. */
export function formatExplanation(explanation: Explanation, paint: Paint): string {
  const { request, forwarded, steps, route, destinations, answer } = explanation;
  return [
    `${paint("bold", `${request.method} ${request.url}`)} from ${request.from} (${request.identity})`,
    "",
    paint("bold", "The proxy of the client"),
    ...steps.filter(isTelling).map((step) => formatStep(step, paint)),
    ...(route === null || answer !== null ? [] : formatRoute(route, paint)),
    ...(answer === null ? [] : formatAnswer(answer, paint)),
    ...destinations.flatMap((destination) => ["", ...formatDestination(destination, paint)]),
    "",
    forwarded ? paint(["green", "bold"], "→ forwarded") : paint(["red", "bold"], verdict(explanation)),
    "",
  ].join("\n");
}

/** What every request passes and nobody asks about is left out of the text; JSON has all of it. */
function isTelling({ kind, matched }: Step): boolean {
  return kind !== "edge" && kind !== "header" && (kind !== "filter-chain" || !matched);
}

function formatStep({ kind, name, matched, why, origin }: Step, paint: Paint): string {
  const mark = matched ? paint("green", "√") : paint("dim", "–");
  const text = `${kind} ${name}: ${why}`;
  return `  ${mark} ${matched ? text : paint("dim", text)}${formatOrigin(origin, paint)}`;
}

function formatRoute(
  { retries, timeoutMs, timeoutOrigin, faults, mirrors, sent }: RouteExplanation,
  paint: Paint,
): string[] {
  const lines = [
    `  timeout: ${timeoutMs === 0 ? "none" : formatDuration(timeoutMs)}${formatOrigin(timeoutOrigin, paint)}`,
    `  retries: ${retries === null ? "none" : describeRetries(retries)}${formatOrigin(retries?.origin ?? null, paint)}`,
    ...faults.map(
      ({ kind, percent, delayMs, status }) =>
        `  fault: ${percent} % ${kind === "delay" ? `delayed by ${formatDuration(delayMs)}` : `answered with ${status}`}`,
    ),
    ...mirrors.map((mirror) => `  mirrored to ${mirror}`),
  ];
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
      ? [`  endpoints by ${loadBalancer.replaceAll("_", " ")}: ${endpoints.map(({ instance }) => instance).join(", ")}`]
      : formatAnswer(answer, paint)),
    ...inbound.flatMap((side) => formatInbound(side, paint)),
  ];
}

function formatInbound({ workload, accepted, mutualTls, steps, answer }: InboundExplanation, paint: Paint): string[] {
  const policies = steps.filter(({ kind }) => kind === "policy");
  const chain = steps.find(({ kind }) => kind === "filter-chain");
  return [
    `  ${accepted ? paint("green", "√") : paint("red", "×")} the proxy of ${workload}: ${mutualTls ? "mutual TLS" : "plaintext"}${formatOrigin(chain?.origin ?? null, paint)}`,
    ...(policies.length === 0 ? ["    no policy selects it"] : policies.map((step) => `  ${formatStep(step, paint)}`)),
    ...(answer === null ? [] : formatAnswer(answer, paint).map((line) => `  ${line}`)),
  ];
}

function formatAnswer({ status, body, details, flags, location, hint, origin }: MeshAnswer, paint: Paint): string[] {
  const what = [
    `${status}`,
    ...(body === "" ? [] : [`"${body}"`]),
    ...(location === "" ? [] : [`to ${location}`]),
  ].join(" ");
  const log = [details, ...flags].filter((part) => part !== "").join(" ");
  return [
    `  ${paint("red", "×")} the mesh answers ${what}${log === "" ? "" : paint("dim", ` (${log})`)}${formatOrigin(origin, paint)}`,
    ...(hint === "" ? [] : [`    ${paint("dim", `→ ${hint}`)}`]),
  ];
}

function formatOrigin(origin: Origin | null, paint: Paint): string {
  if (origin === null) return "";
  const rule = origin.rule === "" ? "" : ` ${origin.rule}`;
  return ` ${paint("cyan", `[${origin.resource}${rule}, ${origin.file}:${origin.line}]`)}`;
}

function verdict({ answer, destinations }: Explanation): string {
  if (answer !== null) return `× answered by the mesh with ${answer.status}`;
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
