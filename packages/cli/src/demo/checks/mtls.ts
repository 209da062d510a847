import type { Replica } from "../../local-mesh/replica.ts";
import { spiffeId } from "../../local-mesh/proxy-files.ts";
import { mutualTlsFile } from "../bookshop-files.ts";
import type { Check } from "../check.ts";
import { Problems } from "../check.ts";
import type { RunningDemo } from "../running-demo.ts";
import { type Door, probePlaintext, probeTls } from "../tls-probe.ts";

/** Who calls whom in the bookshop, as paths through its /whoami, which shows the headers that the last service got. */
const hops = [
  { path: "/whoami", from: "istio-system/sa/edge", to: "default/sa/web" },
  { path: "/whoami/books", from: "default/sa/web", to: "default/sa/books" },
  { path: "/whoami/authors", from: "default/sa/web", to: "default/sa/authors" },
  { path: "/whoami/reviews", from: "default/sa/web", to: "default/sa/reviews" },
  { path: "/whoami/reviews/ratings", from: "default/sa/reviews", to: "default/sa/ratings" },
];

const many = 16;

export const mtls: Check = {
  name: "mtls",
  title: "every hop is mutual TLS 1.3 between the expected SPIFFE identities",

  async run(demo) {
    const problems = new Problems();
    const { pem } = await demo.trustBundle();
    // It asks over HTTP: services of bytes have a check of their own.
    const replicas = [...demo.runner.replicas.values()].filter(({ planned }) => planned.protocol === "http");
    const doors = replicas.flatMap(doorsOf);
    await Promise.all(doors.map((door) => probe(door, pem, problems)));
    for (const hop of hops) {
      await followHop(demo, hop, problems);
      // Many at once ride on connections inside carriers.
      await Promise.all(Array.from({ length: many }, () => followHop(demo, hop, problems)));
    }
    return {
      problems: problems.list,
      evidence: `${doors.length} ports: plaintext, TLS 1.2 and clients without a certificate refused, TLS 1.3 and SPIFFE identity shown; ${hops.length} hops, alone and ${many} at once: both identities as expected`,
    };
  },

  async sabotage(demo) {
    await demo.change(() => demo.files.edit(mutualTlsFile, (text) => text.replace("STRICT", "PERMISSIVE")));
    return () => demo.change(() => demo.files.edit(mutualTlsFile, (text) => text.replace("PERMISSIVE", "STRICT")));
  },
};

interface ReplicaDoor extends Door {
  readonly name: string;
  readonly expected: string;
}

/** Where a replica takes traffic: connections by themselves, and carriers. */
function doorsOf({ planned, instance, identity }: Replica): ReplicaDoor[] {
  const { address, inboundPort, tunnelPort } = instance;
  const direct = { name: planned.id, expected: spiffeId(identity), address, inboundPort };
  return tunnelPort === undefined
    ? [direct]
    : [direct, { ...direct, name: `${planned.id}'s port for carriers`, inboundPort: tunnelPort }];
}

/** Looks at a port as somebody who does not belong to the mesh. */
async function probe(door: ReplicaDoor, rootPem: string, problems: Problems): Promise<void> {
  const { name, expected } = door;
  const plain = await probePlaintext(door);
  problems.require(plain === "", `${name} answers plaintext: ${firstLine(plain)}`);
  const tls = await probeTls(door, rootPem);
  problems.require(
    tls.protocol === "TLSv1.3",
    `${name} speaks ${tls.protocol === "" ? `no TLS (${tls.error})` : tls.protocol}`,
  );
  problems.require(
    tls.uris.join(" ") === expected,
    `${name} shows ${tls.uris.join(" ") || "no identity"} instead of ${expected}`,
  );
  problems.require(tls.answer === "", `${name} answers a client without a certificate: ${firstLine(tls.answer)}`);
  const old = await probeTls(door, rootPem, "TLSv1.2");
  // Without a certificate no handshake of TLS 1.2 succeeds: only the alert says that it is the version which is refused.
  problems.require(
    old.protocol === "" && /alert protocol version/.test(old.error),
    `${name} does not refuse TLS 1.2 as such: ${old.error || old.protocol}`,
  );
}

async function followHop(demo: RunningDemo, hop: (typeof hops)[number], problems: Problems): Promise<void> {
  const forged = "By=spiffe://cluster.local/ns/default/sa/forged;URI=spiffe://cluster.local/ns/default/sa/forged";
  const outcome = await demo.client.send(hop.path, { headers: { "x-forwarded-client-cert": forged } });
  const name = `${hop.from} → ${hop.to}`;
  let seen: string;
  try {
    seen = certificateHeader(JSON.parse(outcome.body));
  } catch {
    problems.list.push(`${name}: ${outcome.status} ${outcome.error}${firstLine(outcome.body)}`);
    return;
  }
  const elements = Object.fromEntries(seen.split(";").map((part) => part.split(/=(.*)/s, 2) as [string, string]));
  problems.require(!seen.includes(","), `${name}: more than one certificate is claimed: ${seen}`);
  problems.require(
    elements["By"] === `spiffe://cluster.local/ns/${hop.to}`,
    `${name}: the server is ${elements["By"] ?? "nobody"}`,
  );
  problems.require(
    elements["URI"] === `spiffe://cluster.local/ns/${hop.from}`,
    `${name}: the client is ${elements["URI"] ?? "nobody"}`,
  );
}

interface WhoAmI {
  readonly headers: Readonly<Record<string, string>>;
  /** The answer of the next service on the way. */
  readonly next?: WhoAmI;
}

/** What the last service on the way was told about its caller's certificate. */
function certificateHeader(answer: WhoAmI): string {
  return answer.next === undefined ? (answer.headers["x-forwarded-client-cert"] ?? "") : certificateHeader(answer.next);
}

function firstLine(text: string): string {
  return (text.split("\r\n")[0] ?? "").slice(0, 120);
}
