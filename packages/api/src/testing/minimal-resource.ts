import { stringify } from "yaml";
import type { FieldTree, PublishedKind } from "./published-kind.ts";
import { branchesOf, isWords } from "./published-kind.ts";

/** A resource that sets one field and, beside it, no more than what the field cannot be right without. */
export function minimalResource(published: PublishedKind, path: readonly string[]): { text: string; where: string } {
  const { group, kind, servedVersions } = published;
  const spec = new Builder(kind).build(published.spec, path, "");
  const resource = { apiVersion: `${group}/${servedVersions[0]}`, kind, metadata: { name: "a" }, spec };
  return { text: stringify(resource), where: describe(path) };
}

/** The path as messages write it, with the keys that the sample uses. */
function describe(path: readonly string[]): string {
  let written = "spec";
  for (const step of path) {
    if (step === "[]") written += "[0]";
    else if (step === "*") written += ".";
    else if (!step.startsWith("=")) written += written.endsWith(".") ? step : `.${step}`;
  }
  return written;
}

type Siblings = Readonly<Record<string, unknown>>;

const to = { destination: { host: "a" } };
const anyPolicy = { simple: "RANDOM" };

const certificate = { clientCertificate: "/a", privateKey: "/a" };

function tlsSiblings(field: string): Siblings {
  if (Object.hasOwn(certificate, field)) return { mode: "MUTUAL", ...certificate };
  return { mode: ["sni", "subjectAltNames"].includes(field) ? "ISTIO_MUTUAL" : "SIMPLE" };
}

/** What has to stand beside a field, by the path of the block around it. */
const siblings: Readonly<Record<string, Readonly<Record<string, (field: string) => Siblings>>>> = {
  VirtualService: {
    "": () => ({ hosts: ["a"], http: [{ route: [to] }] }),
    http: (field) =>
      field === "redirect" || field === "directResponse"
        ? {}
        : field === "mirrorPercentage"
          ? { route: [to], mirror: to.destination }
          : { route: [to] },
    "http.match.sourceLabels": () => ({}),
    "http.route": () => to,
    "http.mirrors": () => to,
    "http.mirrors.destination": () => to.destination,
    "http.mirror": () => to.destination,
    "http.route.destination": () => to.destination,
    "http.redirect": (field) => (["uri", "prefixRewrite"].includes(field) ? {} : { uri: "/a" }),
    "http.directResponse": () => ({ status: 200 }),
    "http.fault.delay": () => ({ fixedDelay: "1s" }),
    "http.fault.abort": () => ({ httpStatus: 500 }),
    "http.retries": () => ({ attempts: 1 }),
    "http.rewrite.uriRegexRewrite": () => ({ match: "a", rewrite: "b" }),
  },
  DestinationRule: {
    "": () => ({ host: "a" }),
    subsets: () => ({ name: "a" }),
    ...Object.fromEntries(
      ["trafficPolicy", "subsets.trafficPolicy"].flatMap((base) => [
        [base, (field: string) => (field === "loadBalancer" ? {} : { loadBalancer: anyPolicy })],
        [
          `${base}.portLevelSettings`,
          (field: string) => ({
            port: { number: 80 },
            ...(field === "loadBalancer" ? {} : { loadBalancer: anyPolicy }),
          }),
        ],
        ...[base, `${base}.portLevelSettings`].flatMap((block) => [
          [`${block}.tls`, tlsSiblings],
          [`${block}.loadBalancer`, () => anyPolicy],
        ]),
      ]),
    ),
  },
  PeerAuthentication: {
    "": (field) => (field === "portLevelMtls" ? { selector: { matchLabels: { app: "a" } } } : {}),
  },
  AuthorizationPolicy: {
    "rules.when": () => ({ key: "source.ip", values: ["10.0.0.1"] }),
    "rules.to": () => ({ operation: { methods: ["GET"] } }),
    "rules.from": () => ({ source: { principals: ["a"] } }),
  },
};

/** Values that a field's type alone does not give away, by the end of the path. */
const samples: readonly [RegExp, unknown][] = [
  [/^VirtualService (?:gateways|http\.match\.gateways)$/, "mesh"],
  [/ exportTo$/, "*"],
  [/redirect\.(?:uri|prefixRewrite)$|rewrite\.uri$/, "/a"],
  [/redirect\.scheme$/, "https"],
  [/tls\.(?:caCertificates|caCrl|clientCertificate|privateKey)$/, "/a"],
  [/redirect\.redirectCode$/, 302],
  [/(?:directResponse\.status|httpStatus)$/, 500],
  [/body\.bytes$/, "YQ=="],
  [/retryOn$/, "reset"],
  [/[iI]pBlocks$|rules\.when\.(?:v|notV)alues$/, "10.0.0.1"],
  [/operation\.(?:p|notP)orts$/, "80"],
  [/when\.key$/, "source.ip"],
];

class Builder {
  readonly #kind: string;

  constructor(kind: string) {
    this.#kind = kind;
  }

  /** The value of a tree that sets what the rest of the path names. `at` is the path so far, without list and map steps. */
  build(tree: FieldTree, path: readonly string[], at: string): unknown {
    const [step, ...rest] = path;
    if (step === undefined) return this.#sample(tree, at);
    if (step.startsWith("=")) return step.slice(1);
    const below = branchesOf(tree)[step] ?? "any";
    if (step === "[]") return [this.build(below, rest, at)];
    if (step === "*") return { [at === "portLevelMtls" ? "80" : "a"]: this.build(below, rest, at) };
    const beside = siblings[this.#kind]?.[at]?.(step) ?? {};
    const value = this.build(below, rest, at === "" ? step : `${at}.${step}`);
    const needsPrefix = this.#kind === "VirtualService" && at === "http" && rest.includes("prefixRewrite");
    return {
      ...(needsPrefix ? { match: [{ uri: { prefix: "/b" } }] } : {}),
      ...(value === "MUTUAL" ? certificate : {}),
      ...beside,
      [step]: value,
    };
  }

  #sample(tree: FieldTree, at: string): unknown {
    const known = samples.find(([pattern]) => pattern.test(`${this.#kind} ${at}`));
    const [first] = Object.keys(branchesOf(tree));
    if (first === "[]") return this.build(tree, ["[]"], at);
    if (first !== undefined) return this.#block(tree, first, at);
    if (known !== undefined) return known[1];
    if (isWords(tree)) return tree.at(-1);
    if (tree === "object") return {};
    if (tree === "boolean") return true;
    if (tree === "integer" || tree === "number") return 1;
    return tree === "duration" || /[tT]imeout$/.test(at) ? "2s" : "a";
  }

  /** A block is begun with its first field that is right by itself, a map with any key. */
  #block(tree: FieldTree, first: string, at: string): unknown {
    const known = Object.entries(firstFields).find(([end]) => `.${at}`.endsWith(`.${end}`))?.[1];
    return this.build(tree, [first === "*" ? first : (known ?? first)], at);
  }
}

/** Blocks whose first published field is refused, or cannot stand alone; the longer path first. */
const firstFields: Readonly<Record<string, string>> = {
  "connectionPool.http": "maxRetries",
  "connectionPool.tcp": "maxConnections",
  http: "name",
  "fault.abort": "httpStatus",
  "fault.delay": "fixedDelay",
  match: "name",
  retries: "attempts",
  redirect: "uri",
  loadBalancer: "simple",
  tls: "sni",
  trafficPolicy: "loadBalancer",
};
