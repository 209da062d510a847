import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBootstrap } from "./parse.ts";

function bootstrap(retryPolicy: string): string {
  return `
dynamic_resources:
  ads_config:
    api_type: DELTA_GRPC
    transport_api_version: V3
    grpc_services: [{ envoy_grpc: { cluster_name: xds${retryPolicy} } }]
  cds_config: { ads: {}, resource_api_version: V3 }
static_resources:
  clusters:
    - name: xds
      type: STATIC
      load_assignment:
        cluster_name: xds
        endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 1 } } } }] }]
`;
}

const cases: readonly { title: string; retryPolicy: string; baseMs: number; maxMs: number }[] = [
  {
    title: "without a retry policy the stream is opened again after 500 ms to 30 s",
    retryPolicy: "",
    baseMs: 500,
    maxMs: 30_000,
  },
  {
    title: "a base interval alone grows to ten times itself",
    retryPolicy: ", retry_policy: { retry_back_off: { base_interval: 0.2s } }",
    baseMs: 200,
    maxMs: 2000,
  },
  {
    title: "both intervals hold as they are written",
    retryPolicy: ", retry_policy: { retry_back_off: { base_interval: 0.1s, max_interval: 0.7s } }",
    baseMs: 100,
    maxMs: 700,
  },
];

for (const { title, retryPolicy, baseMs, maxMs } of cases) {
  test(title, () => {
    const { config, problems } = parseBootstrap(bootstrap(retryPolicy));
    assert.deepEqual(problems, []);
    assert.deepEqual(config?.ads?.backoff, { baseMs, maxMs });
  });
}

test("a longest interval below the base interval is refused with its path", () => {
  const { problems } = parseBootstrap(
    bootstrap(", retry_policy: { retry_back_off: { base_interval: 2s, max_interval: 1s } }"),
  );
  assert.deepEqual(
    problems.map(({ path }) => path),
    ["dynamic_resources.ads_config.grpc_services[0].envoy_grpc.retry_policy.retry_back_off.max_interval"],
  );
});

test("a retry policy that counts retries is refused: the stream is opened again for ever", () => {
  const { problems } = parseBootstrap(bootstrap(", retry_policy: { num_retries: 3 }"));
  assert.deepEqual(
    problems.map(({ path }) => path),
    ["dynamic_resources.ads_config.grpc_services[0].envoy_grpc.retry_policy.num_retries"],
  );
});
