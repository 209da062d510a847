import { METHODS } from "node:http";
import { carriedProtocols, resolveHost } from "@heddle/api";
import type { WorkloadInstance } from "@heddle/compiler";
import { exitCodes } from "@heddle/core";
import { UserProblem } from "../user-problem.ts";
import type { MeshOnPaper } from "./mesh-on-paper.ts";

/** The request that is asked about. */
export interface Question {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Protocol that the request asks to be switched to, in lower case; empty: none. */
  readonly upgrade: string;
  readonly authority: string;
  /** Origin form. */
  readonly path: string;
  readonly source: WorkloadInstance;
  /** Port of the source's proxy that takes the request. */
  readonly listenPort: number;
  /** How the question was taken where it could mean something else. */
  readonly notes: readonly string[];
}

export interface AskedQuestion {
  readonly method: string;
  readonly url: string;
  readonly from: string;
  /** `name: value` */
  readonly headers: readonly string[];
}

/** RFC 9110 §5.6.2 */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Finds who asks and which port of its proxy the request goes to. Throws `UserProblem`. */
export function readQuestion(mesh: MeshOnPaper, asked: AskedQuestion): Question {
  const { url, method } = asked;
  if (!token.test(method)) throw wrong(`"${method}" is not a method`, "Write it like GET.");
  const upper = method.toUpperCase();
  if (method !== upper && METHODS.includes(upper))
    throw wrong(
      `methods are case-sensitive (RFC 9110 §9.1), and "${method}" is none that servers know`,
      `Write ${upper}.`,
    );
  const source = findSource(mesh, asked.from);
  const parts = /^http:\/\/([^/?#]+)([^#]*)/i.exec(url);
  const given = asked.headers.map(readHeader);
  const upgrade = method === "CONNECT" ? "connect" : readUpgrade(given);
  // Hop by hop: the proxy takes them for itself (RFC 9110 §7.6.1).
  const headers = given.filter(([name]) => !["host", "connection", "upgrade"].includes(name));
  // As curl has it: the URL says where the request goes, the header what it says of its host.
  const saidHost = given.find(([name]) => name === "host")?.[1];
  if (source.kind === "edge") {
    const own = `${source.address}:${source.edgePort}`;
    if (parts === null && !url.startsWith("/"))
      throw wrong(`"${url}" is neither a path nor an http URL`, "Write it like /reviews/1.");
    const path = parts === null ? url : originForm(parts[2] ?? "");
    const authority = saidHost ?? parts?.[1] ?? own;
    return { method, url, headers, upgrade, source, authority, path, listenPort: source.edgePort ?? 0, notes: [] };
  }
  if (parts === null) throw wrong(`"${url}" is not an http URL`, "Write it like http://reviews:9080/reviews/1.");
  const named = parts[1] ?? "";
  return {
    method,
    url,
    headers,
    upgrade,
    source,
    authority: saidHost ?? named,
    path: originForm(parts[2] ?? ""),
    ...findPort(mesh, source, named),
  };
}

function findSource(mesh: MeshOnPaper, name: string): WorkloadInstance {
  const instances = [...mesh.instances.values()];
  const found =
    instances.find((instance) => instance.workload === name) ?? instances.find((instance) => instance.id === name);
  if (found !== undefined) return found;
  const known = [...new Set(instances.map(({ workload }) => workload))].join(", ");
  throw wrong(`there is no workload "${name}" with a replica`, `Workloads of ${mesh.plan.name}: ${known}.`);
}

/** The port for the service that the host means, as the caller's environment variable would hold it. */
function findPort(
  mesh: MeshOnPaper,
  source: WorkloadInstance,
  authority: string,
): Pick<Question, "listenPort" | "notes"> {
  const name = authority.replace(/:\d*$/, "").toLowerCase();
  const services = [
    ...new Set([
      ...[...mesh.instances.values()]
        .filter(({ kind }) => kind === "sidecar")
        .map((one) => `${one.service}.${one.namespace}`),
      ...mesh.idle.map((one) => one.service),
    ]),
  ];
  const service = services.find((key) => {
    const host = resolveHost(key.slice(0, key.indexOf(".")), key.slice(key.indexOf(".") + 1));
    // Kubernetes' search path: reviews, reviews.shop, reviews.shop.svc and the full name.
    return [resolveHost(name, source.namespace), `${name}.svc.cluster.local`, `${name}.cluster.local`].includes(host);
  });
  if (service === undefined)
    throw wrong(`no service of this mesh is called "${name}"`, `Services: ${services.join(", ")}.`);
  const ports = portsOf(mesh, service);
  const [first] = ports;
  if (first === undefined)
    throw new UserProblem(
      `no workload of ${service} has a replica, so no proxy takes requests for it and the connection is refused`,
      {
        where: mesh.idle.find((one) => one.service === service)?.place ?? "",
        hint: "Raise its `replicas`.",
      },
    );
  const port = /:(\d+)$/.exec(authority)?.[1];
  // On any other no proxy would take the request.
  if (port !== undefined && !ports.includes(Number(port)))
    throw wrong(`the service ${service} has no port ${port}`, `It has ${ports.join(", ")}.`);
  const own = `${source.service}.${source.namespace}` === service;
  const listenPort = source.outboundPorts[service];
  if (listenPort !== undefined) {
    requireHttp(mesh, service);
    const notes: string[] = [];
    if (port === undefined && !ports.includes(80))
      notes.push(`the URL names no port: taken for ${first}, the port of ${service}; another client would take 80`);
    if (own && mesh.plan.mode === undefined)
      notes.push(`in namespaces mode; in ports mode calls of ${source.workload} to its own service pass no proxy`);
    return { listenPort, notes };
  }
  throw new UserProblem(
    own
      ? `${source.workload} is itself of the service ${service}, and in ports mode calls within a service pass no proxy`
      : `${source.workload} has no way to ${service}: its \`calls\` do not name it`,
    {
      where: mesh.plan.instances.find(({ id }) => id === source.id)?.place ?? "",
      hint: own ? "Ask from another workload." : `Add ${service} to its \`calls\`.`,
    },
  );
}

/** Of bytes no route and no rule for requests decides anything; where workloads of a service disagree, bytes are what is carried. */
function requireHttp(mesh: MeshOnPaper, service: string): void {
  const members = mesh.plan.instances.filter((one) => `${one.service}.${one.namespace}` === service);
  const spoken = [...new Set(members.map(({ protocol }) => protocol))];
  const carried = new Set(spoken.map((protocol) => carriedProtocols[protocol]));
  if (carried.size === 1 && !carried.has("tcp")) return;
  throw new UserProblem(`${service} speaks ${spoken.join(" and ")}: its bytes are passed on as they come`, {
    where: members[0]?.place ?? "",
    hint: "Only requests of HTTP are explained; if it speaks HTTP, let its `protocol` say so.",
  });
}

function portsOf(mesh: MeshOnPaper, service: string): number[] {
  const ports = [...mesh.instances.values()]
    .filter((one) => one.kind === "sidecar" && `${one.service}.${one.namespace}` === service)
    .map((one) => one.servicePort);
  return [...new Set(ports)];
}

function originForm(rest: string): string {
  return rest.startsWith("/") ? rest : `/${rest}`;
}

function readHeader(text: string): [string, string] {
  const colon = text.indexOf(":");
  const name = text.slice(0, colon).trim().toLowerCase();
  if (colon < 1 || !token.test(name)) throw wrong(`"${text}" is not a header`, "Write it like 'x-user: eve'.");
  return [name, text.slice(colon + 1).trim()];
}

/** `Connection: Upgrade` is understood: without it no client would send the other. h2c is passed over, as the proxy does. */
function readUpgrade(headers: readonly (readonly [string, string])[]): string {
  const upgrade = headers.find(([name]) => name === "upgrade")?.[1].toLowerCase() ?? "";
  return upgrade === "h2c" ? "" : upgrade;
}

function wrong(message: string, hint: string): UserProblem {
  return new UserProblem(message, { hint, exitCode: exitCodes.usage });
}
