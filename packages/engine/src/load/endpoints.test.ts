import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterLoadAssignmentSchema, type JsonObject } from "@heddle/xds/api";
import { configOf, fromEnvoyJson, problemsOf } from "../testing/harness.ts";
import { loadEndpoints } from "./endpoints.ts";

const parse = (json: JsonObject) => loadEndpoints(fromEnvoyJson(ClusterLoadAssignmentSchema, json));
const other = { socket_address: { address: "0:0::1", port_value: 81 } };
const address = { socket_address: { address: "10.0.0.1", port_value: 80 } };

test("an assignment's localities and endpoints arrive", () => {
  const config = configOf(
    parse({
      cluster_name: "c",
      policy: { overprovisioning_factor: 200 },
      endpoints: [
        {
          locality: { region: "r", zone: "z", sub_zone: "s" },
          priority: 1,
          load_balancing_weight: 9,
          lb_endpoints: [
            {
              endpoint: {
                address,
                hostname: "h",
                additional_addresses: [{ address: other }],
                health_check_config: { port_value: 81, hostname: "hc", disable_active_health_check: true },
              },
              health_status: "DRAINING",
              load_balancing_weight: 7,
              metadata: { filter_metadata: { istio: { workload: "w" } } },
            },
            { endpoint: { address } },
          ],
        },
      ],
    }),
  );
  assert.deepEqual(config, {
    clusterName: "c",
    overprovisioningFactor: 200,
    localities: [
      {
        priority: 1,
        weight: 9,
        locality: { region: "r", zone: "z", subZone: "s" },
        endpoints: [
          {
            address: { host: "10.0.0.1", port: 80 },
            additionalAddresses: [{ host: "::1", port: 81 }],
            identity: "",
            healthCheck: { port: 81, hostname: "hc", isDisabled: true },
            hostname: "h",
            weight: 7,
            health: "draining",
            metadata: { istio: { workload: "w" } },
          },
          {
            address: { host: "10.0.0.1", port: 80 },
            hostname: "",
            weight: 1,
            additionalAddresses: [],
            identity: "",
            healthCheck: { port: 0, hostname: "", isDisabled: false },
            health: "healthy",
            metadata: {},
          },
        ],
      },
    ],
  });
  assert.deepEqual(configOf(parse({ cluster_name: "empty" })), {
    clusterName: "empty",
    overprovisioningFactor: 140,
    localities: [],
  });
});

test("assignments with impossible values are refused", () => {
  assert.deepEqual(problemsOf(parse({})), ["cluster_name: the field is empty"]);
  assert.deepEqual(
    problemsOf(
      parse({
        cluster_name: "c",
        endpoints: [{ priority: 129, lb_endpoints: [{ endpoint: { address }, load_balancing_weight: 0 }, {}] }],
      }),
    ),
    [
      "endpoints[0].priority: 129 is not between 0 and 128",
      "endpoints[0].lb_endpoints[0].load_balancing_weight: 0 is not between 1 and 4294967295",
      "endpoints[0].lb_endpoints[1].endpoint.address: a socket address is required",
    ],
  );
  assert.deepEqual(problemsOf(parse({ cluster_name: "c", policy: { overprovisioning_factor: 0 } })), [
    "policy.overprovisioning_factor: 0 is not between 1 and 4294967295",
  ]);
  const named = { socket_address: { address: "db.example", port_value: 1 } };
  assert.deepEqual(
    problemsOf(parse({ cluster_name: "c", endpoints: [{ lb_endpoints: [{ endpoint: { address: named } }] }] })),
    ['endpoints[0].lb_endpoints[0].endpoint.address.socket_address.address: "db.example" is not an IP address'],
  );
});
