import type { Clock } from "@heddle/core";
import { parseSpiffeId } from "@heddle/core";
import { formatPrometheus, prometheusContentType } from "@heddle/telemetry";
import type { ProxyStatus } from "@heddle/xds/server";
import type {
  HealthResponse,
  JoinTokenCreateResponse,
  ProxiesResponse,
  ProxyRow,
  ReadyResponse,
  ResourcesResponse,
  TrustBundleResponse,
} from "./admin-api/index.ts";
import type { CertificateAuthority } from "./authority/certificate-authority.ts";
import type { JoinTokens } from "./authority/join-tokens.ts";
import { TooManyTokens } from "./authority/join-tokens.ts";
import type { ControlPlaneMetrics } from "./control-plane-metrics.ts";
import type { MeshConfiguration } from "./push/mesh-configuration.ts";
import { workloadIdentity } from "./push/node-authorization.ts";
import type { Publisher } from "./push/publisher.ts";
import type { AdminRoute } from "./server/admin-server.ts";
import { AdminProblem } from "./server/admin-server.ts";

export interface AdminRoutesOptions {
  readonly configuration: MeshConfiguration;
  readonly publisher: Pick<Publisher, "ads" | "problemOf">;
  readonly tokens: JoinTokens;
  readonly authority: CertificateAuthority;
  readonly metrics: ControlPlaneMetrics;
  readonly clock: Clock;
}

const defaultTokenLifeMs = 600_000;
const maxTokenLifeMs = 86_400_000;
const maxTokenUses = 1000;

/** Every call of the admin API, version 1. */
export function adminRoutes(options: AdminRoutesOptions): AdminRoute[] {
  const { configuration, publisher, tokens, authority, metrics, clock } = options;
  const { ads } = publisher;
  return [
    {
      method: "GET",
      path: "/api/v1/health",
      isOpen: true,
      handle: () => ({ status: 200, body: { status: "ok" } satisfies HealthResponse }),
    },
    {
      method: "GET",
      path: "/api/v1/ready",
      isOpen: true,
      handle: () => {
        const { waitingFor } = configuration;
        const body: ReadyResponse = { ready: waitingFor.length === 0, waitingFor };
        return { status: body.ready ? 200 : 503, body };
      },
    },
    {
      method: "GET",
      path: "/api/v1/proxies",
      handle: () => ({ status: 200, body: proxies(configuration, publisher, authority.trustDomain) }),
    },
    { method: "GET", path: "/api/v1/resources", handle: () => ({ status: 200, body: resources(configuration) }) },
    { method: "GET", path: "/api/v1/findings", handle: () => ({ status: 200, body: configuration.findings }) },
    {
      method: "GET",
      path: "/api/v1/trust-bundle",
      handle: () => ({
        status: 200,
        body: { trustDomain: authority.trustDomain, pem: authority.rootPem } satisfies TrustBundleResponse,
      }),
    },
    {
      method: "POST",
      path: "/api/v1/join-tokens",
      handle: async (body) => ({ status: 201, body: await createToken(body, tokens, authority.trustDomain, clock) }),
    },
    {
      method: "GET",
      path: "/metrics",
      // As istiod's 15014: scrapers bring no token, and nothing in it is secret.
      isOpen: true,
      handle: () => ({
        status: 200,
        contentType: prometheusContentType,
        text: formatPrometheus(metrics.read(ads.status().length)),
      }),
    },
  ];
}

async function createToken(
  body: unknown,
  tokens: JoinTokens,
  trustDomain: string,
  clock: Clock,
): Promise<JoinTokenCreateResponse> {
  const {
    identity,
    uses = 1,
    lifeMs = defaultTokenLifeMs,
  } = (body ?? {}) as { identity?: unknown; uses?: unknown; lifeMs?: unknown };
  const id = typeof identity === "string" ? parseSpiffeId(identity) : undefined;
  if (typeof identity !== "string" || id?.trustDomain !== trustDomain || id.serviceAccount === "") {
    throw new AdminProblem(
      400,
      `identity must be spiffe://${trustDomain}/ns/<namespace>/sa/<service account>`,
      "name the workload that joins",
    );
  }
  if (!isWhole(uses) || uses < 1 || uses > maxTokenUses)
    throw new AdminProblem(400, `uses must be a whole number from 1 to ${maxTokenUses}`, "leave it out for 1");
  if (!isWhole(lifeMs) || lifeMs < 1000 || lifeMs > maxTokenLifeMs) {
    throw new AdminProblem(
      400,
      `lifeMs must be a whole number from 1000 to ${maxTokenLifeMs}`,
      "leave it out for ten minutes",
    );
  }
  const expiresAtMs = clock.wallMs() + lifeMs;
  try {
    return { token: await tokens.create({ identity, uses, lifeMs }), identity, expiresAtMs };
  } catch (error) {
    if (!(error instanceof TooManyTokens)) throw error;
    throw new AdminProblem(409, error.message, "wait until some expire, or give one token more uses");
  }
}

function isWhole(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value);
}

function resources(configuration: MeshConfiguration): ResourcesResponse {
  return {
    configVersion: configuration.version,
    findings: configuration.findings,
    resources: configuration.accepted.map(({ kind, metadata, source }) => ({
      kind,
      namespace: metadata.namespace,
      name: metadata.name,
      file: source.file,
      line: source.line,
      generation: metadata.generation,
    })),
  };
}

/** Every registered instance, connected or not. Of a proxy with two streams (it is handing over) the newer one counts. */
function proxies(
  configuration: MeshConfiguration,
  publisher: AdminRoutesOptions["publisher"],
  trustDomain: string,
): ProxiesResponse {
  const newest = new Map<string, ProxyStatus>();
  for (const stream of publisher.ads.status()) {
    const known = newest.get(stream.proxyId);
    if (known === undefined || known.streamId < stream.streamId) newest.set(stream.proxyId, stream);
  }
  return {
    configVersion: configuration.version,
    proxies: [...configuration.instances.values()].map((instance) => {
      const { id, ready } = instance;
      const identity = workloadIdentity(instance, trustDomain);
      const problem = configuration.problem ?? publisher.problemOf(id) ?? "";
      const row = { id, identity, isReady: ready, problem };
      return proxyRow(row, newest.get(id), String(configuration.version));
    }),
  };
}

function proxyRow(
  row: Pick<ProxyRow, "id" | "identity" | "isReady" | "problem">,
  stream: ProxyStatus | undefined,
  version: string,
): ProxyRow {
  if (stream === undefined) return { ...row, isConnected: false, isSynced: false, connectedAtMs: 0, types: [] };
  return {
    ...row,
    isConnected: true,
    // The version of the configuration, not of what was sent last: one that could not be compiled was never sent.
    isSynced: stream.syncedVersion === version,
    connectedAtMs: stream.connectedAtMs,
    types: stream.types.map(({ type, sentVersion, ackedVersion, subscribed, lastNack, state }) => ({
      type,
      sentVersion: sentVersion ?? "",
      ackedVersion: ackedVersion ?? "",
      isSynced: state === "accepted" || state === "unchanged",
      subscribed,
      lastError: state === "rejected" ? (lastNack?.message ?? "") : "",
    })),
  };
}
