import type {
  AuthorizationPolicySpec,
  DestinationRuleSpec,
  Kind,
  Metadata,
  ParsedResource,
  PeerAuthenticationSpec,
  VirtualServiceSpec,
} from "@heddle/api";
import fc from "fast-check";
import type { MeshInputs, WorkloadInstance } from "../inputs.ts";

// Arbitrary meshes, small on purpose: few names, so that resources meet each other.

const namespaces = fc.constantFrom("default", "other", "istio-system");
const services = fc.constantFrom("a", "b", "c");
const hosts = fc.oneof(
  services,
  fc.constantFrom("a.default.svc.cluster.local", "b.other.svc.cluster.local", "*.other.svc.cluster.local", "*", "gone"),
);
const subsetNames = fc.constantFrom("v1", "v2");
const versions = fc.constantFrom("v1", "v2", "v3");
const selector = fc.option(
  versions.map((version) => ({ matchLabels: { version } })),
  { nil: undefined },
);

function resource<Spec>(kind: Kind, spec: fc.Arbitrary<Spec>): fc.Arbitrary<ParsedResource> {
  return fc
    .record({
      name: fc.constantFrom("x", "y", "z"),
      namespace: namespaces,
      generation: fc.integer({ min: 1, max: 3 }),
      creationTimestamp: fc.option(fc.constantFrom("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"), { nil: undefined }),
      spec,
    })
    .map(({ spec: value, creationTimestamp, ...metadata }) =>
      makeResource(
        kind,
        { ...metadata, labels: {}, annotations: {}, ...(creationTimestamp === undefined ? {} : { creationTimestamp }) },
        value,
      ),
    );
}

export function makeResource(kind: Kind, metadata: Metadata, spec: unknown): ParsedResource {
  const source = { file: `${metadata.name}.yaml`, line: 1 };
  return { apiVersion: "v1", kind, metadata, spec, source, lines: { l: 1 }, locate: () => source } as ParsedResource;
}

const routes = fc.record(
  {
    match: fc.array(
      fc.record(
        {
          uri: fc.constantFrom({ prefix: "/" }, { prefix: "/x" }, { exact: "/y" }),
          sourceLabels: versions.map((version) => ({ version })),
          headers: fc.constantFrom({ h: { exact: "1" } }, { h: {} }),
        },
        { requiredKeys: [] },
      ),
      { minLength: 1, maxLength: 2 },
    ),
    route: fc
      .array(
        fc.record(
          {
            destination: fc.record(
              { host: hosts.filter((host) => !host.startsWith("*")), subset: subsetNames },
              { requiredKeys: ["host"] },
            ),
            weight: fc.integer({ min: 0, max: 100 }),
          },
          { requiredKeys: ["destination"] },
        ),
        { minLength: 1, maxLength: 2 },
      )
      // What api refuses never gets here: weights that add up to zero.
      .filter((destinations) => destinations.length < 2 || destinations.some(({ weight = 0 }) => weight > 0)),
    timeout: fc.constantFrom("1s", "250ms"),
  },
  { requiredKeys: ["route"] },
);

const virtualService = resource<VirtualServiceSpec>(
  "VirtualService",
  fc.record({ hosts: fc.uniqueArray(hosts, { minLength: 1, maxLength: 2 }), http: fc.array(routes, { maxLength: 2 }) }),
);

const trafficPolicy = fc.record(
  {
    loadBalancer: fc.constantFrom({ simple: "RANDOM" as const }, { simple: "ROUND_ROBIN" as const }),
    tls: fc.constantFrom({ mode: "DISABLE" as const }, { mode: "ISTIO_MUTUAL" as const }),
  },
  { requiredKeys: [] },
);

const destinationRule = resource<DestinationRuleSpec>(
  "DestinationRule",
  fc.record(
    {
      host: hosts,
      trafficPolicy,
      subsets: fc.uniqueArray(fc.record({ name: subsetNames, labels: versions.map((version) => ({ version })) }), {
        selector: ({ name }) => name,
        maxLength: 2,
      }),
    },
    { requiredKeys: ["host"] },
  ),
);

const mtls = fc.record({
  mode: fc.constantFrom("STRICT" as const, "PERMISSIVE" as const, "DISABLE" as const, "UNSET" as const),
});

const peerAuthentication = resource<PeerAuthenticationSpec>(
  "PeerAuthentication",
  fc
    .record({ selector, mtls })
    .map(({ selector: chosen, ...spec }) => (chosen === undefined ? spec : { ...spec, selector: chosen })),
);

const authorizationPolicy = resource<AuthorizationPolicySpec>(
  "AuthorizationPolicy",
  fc
    .record({
      selector,
      action: fc.constantFrom("ALLOW" as const, "DENY" as const),
      rules: fc.array(fc.constantFrom({}, { to: [{ operation: { methods: ["GET"] } }] }), { maxLength: 2 }),
    })
    .map(({ selector: chosen, ...spec }) => (chosen === undefined ? spec : { ...spec, selector: chosen })),
);

const instance: fc.Arbitrary<WorkloadInstance> = fc
  .record({
    number: fc.integer({ min: 0, max: 5 }),
    service: services,
    namespace: fc.constantFrom("default", "other"),
    version: versions,
    ready: fc.boolean(),
    protocol: fc.constantFrom("http", "http2", "tcp"),
    calls: fc.uniqueArray(fc.constantFrom("a.default", "b.other", "c.default"), { maxLength: 3 }),
  })
  .map(({ number, calls, service, version, ...rest }) => ({
    ...rest,
    id: `i${number}`,
    workload: `${service}-${version}`,
    service,
    version,
    serviceAccount: version === "v3" ? "special" : service,
    labels: { app: service, version },
    servicePort: 9080,
    address: "127.0.0.1",
    inboundPort: 30_000 + number,
    appPort: 40_000 + number,
    outboundPorts: Object.fromEntries(calls.map((key, index) => [key, 20_000 + 10 * number + index])),
    kind: "sidecar",
  }));

const edge: WorkloadInstance = {
  id: "edge",
  workload: "edge",
  service: "edge",
  namespace: "istio-system",
  serviceAccount: "edge",
  labels: { app: "edge" },
  version: "",
  protocol: "http",
  servicePort: 8080,
  address: "127.0.0.1",
  inboundPort: 0,
  appPort: 0,
  outboundPorts: {},
  ready: true,
  kind: "edge",
  edgePort: 8080,
  edgeService: "a.default",
};

/** One change of the inputs. */
export type Edit = (inputs: MeshInputs) => MeshInputs;

const anyResource = fc.oneof(virtualService, destinationRule, peerAuthentication, authorizationPolicy);

const edits: fc.Arbitrary<Edit> = fc.oneof(
  anyResource.map(
    (added): Edit =>
      (inputs) => ({ ...inputs, resources: [...without(inputs.resources, added), added] }),
  ),
  anyResource.map(
    (removed): Edit =>
      (inputs) => ({ ...inputs, resources: without(inputs.resources, removed) }),
  ),
  instance.map(
    (added): Edit =>
      (inputs) => ({ ...inputs, instances: [...inputs.instances.filter(({ id }) => id !== added.id), added] }),
  ),
  instance.map(
    (removed): Edit =>
      (inputs) => ({ ...inputs, instances: inputs.instances.filter(({ id }) => id !== removed.id) }),
  ),
  instance.map(
    ({ id }): Edit =>
      (inputs) => ({
        ...inputs,
        instances: inputs.instances.map((each) => (each.id === id ? { ...each, ready: !each.ready } : each)),
      }),
  ),
  fc
    .record({
      kind: fc.constantFrom("AuthorizationPolicy" as const, "PeerAuthentication" as const),
      namespace: namespaces,
    })
    .map(
      ({ kind, namespace }): Edit =>
        (inputs) => ({
          ...inputs,
          broken:
            inputs.broken.length > 0
              ? []
              : [{ kind, namespace, name: "broken", selector: undefined, source: { file: "f", line: 1 } }],
        }),
    ),
  fc.constantFrom("cluster.local", "td.example").map(
    (trustDomain): Edit =>
      (inputs) => ({ ...inputs, settings: { ...inputs.settings, trustDomain } }),
  ),
  // The same mesh in another order, read anew: nothing has changed.
  fc.constant<Edit>((inputs) => structuredCopy(inputs)),
);

export const editSequences: fc.Arbitrary<Edit[]> = fc.array(edits, { minLength: 5, maxLength: 40 });

export const emptyMesh: MeshInputs = {
  resources: [],
  broken: [],
  instances: [edge],
  settings: { trustDomain: "cluster.local", rootNamespace: "istio-system" },
};

function without(resources: readonly ParsedResource[], { kind, metadata }: ParsedResource): ParsedResource[] {
  return resources.filter(
    (each) =>
      each.kind !== kind || each.metadata.name !== metadata.name || each.metadata.namespace !== metadata.namespace,
  );
}

function structuredCopy(inputs: MeshInputs): MeshInputs {
  return {
    ...inputs,
    resources: inputs.resources
      .map((each) => makeResource(each.kind, structuredClone(each.metadata), structuredClone(each.spec)))
      .reverse(),
    instances: structuredClone([...inputs.instances]).reverse(),
  };
}
