import assert from "node:assert/strict";
import { test } from "node:test";
import { type JsonObject, ListenerSchema } from "@heddle/xds/api";
import type { ConnectionView } from "../bind/connection.ts";
import { applyDelta, emptySnapshot } from "../bind/snapshot.ts";
import type { BoundFilterChain } from "../bind/types.ts";
import { loadListener } from "../load/listener.ts";
import { connectionView, peerView, type RequestParts } from "../testing/fixtures.ts";
import {
  configOf,
  fromEnvoyJson,
  Mesh,
  problemsOf,
  routerFilter,
  routesJson,
  routeTo,
  clusterJson,
  typeUrls,
} from "../testing/harness.ts";
import { authorizeConnection } from "./authorization.ts";

const any = [{ any: true }];
const clusters = [clusterJson("a")];

function rbacMesh(filter: JsonObject): Mesh {
  return new Mesh({
    routes: routesJson([routeTo("a")]),
    manager: { http_filters: [{ name: "rbac", typed_config: { "@type": typeUrls.rbac, ...filter } }, routerFilter] },
    clusters,
  });
}

function policy(permissions: JsonObject[], principals: JsonObject[]): JsonObject {
  return { permissions, principals };
}

type Case = [rule: JsonObject, request: RequestParts, connection: Partial<ConnectionView>, expected: boolean];

const web = peerView("spiffe://td/ns/shop/sa/web", { dnsSans: ["web.shop"], subject: "CN=web" });

const permissions: Case[] = [
  [{ any: true }, {}, {}, true],
  [{ header: { name: ":method", string_match: { exact: "GET" } } }, {}, {}, true],
  [{ header: { name: ":method", string_match: { exact: "GET" } } }, { method: "PUT" }, {}, false],
  [
    { header: { name: ":authority", string_match: { exact: "SHOP", ignore_case: true } } },
    { authority: "shop" },
    {},
    true,
  ],
  [{ url_path: { path: { exact: "/admin" } } }, { path: "/admin?x=1#y".split("#")[0] ?? "" }, {}, true],
  [{ url_path: { path: { prefix: "/adm" } } }, { path: "/public?/adm" }, {}, false],
  [{ url_path: { path: { safe_regex: { regex: ".+" } } } }, { path: "/x" }, {}, true],
  [{ destination_ip: { address_prefix: "10.0.0.0", prefix_len: 24 } }, {}, {}, true],
  [{ destination_ip: { address_prefix: "10.0.1.0", prefix_len: 24 } }, {}, {}, false],
  [{ destination_port: 8080 }, {}, {}, true],
  [{ destination_port: 8081 }, {}, {}, false],
  [{ destination_port_range: { start: 8080, end: 8081 } }, {}, {}, true],
  [{ destination_port_range: { start: 8000, end: 8080 } }, {}, {}, false],
  [{ destination_port_range: { start: 8081, end: 9000 } }, {}, {}, false],
  [{ requested_server_name: { exact: "a.example" } }, {}, { sni: "a.example" }, true],
  [{ requested_server_name: { suffix: ".example" } }, {}, { sni: "a.test" }, false],
  [{ and_rules: { rules: [{ any: true }, { destination_port: 8080 }] } }, {}, {}, true],
  [{ and_rules: { rules: [{ any: true }, { destination_port: 1 }] } }, {}, {}, false],
  [{ or_rules: { rules: [{ destination_port: 1 }, { destination_port: 8080 }] } }, {}, {}, true],
  [{ or_rules: { rules: [{ destination_port: 1 }, { destination_port: 2 }] } }, {}, {}, false],
  [{ not_rule: { destination_port: 1 } }, {}, {}, true],
  [{ not_rule: { any: true } }, {}, {}, false],
];

const principals: Case[] = [
  [{ any: true }, {}, {}, true],
  [{ authenticated: {} }, {}, {}, false],
  [{ authenticated: {} }, {}, { isTls: true, peer: web }, true],
  [{ authenticated: { principal_name: { exact: "spiffe://td/ns/shop/sa/web" } } }, {}, { peer: web }, true],
  [{ authenticated: { principal_name: { safe_regex: { regex: ".*/ns/shop/.*" } } } }, {}, { peer: web }, true],
  [{ authenticated: { principal_name: { safe_regex: { regex: ".*/ns/other/.*" } } } }, {}, { peer: web }, false],
  [{ authenticated: { principal_name: { exact: "web.shop" } } }, {}, { peer: web }, true],
  [{ authenticated: { principal_name: { exact: "CN=web" } } }, {}, { peer: web }, true],
  [{ authenticated: { principal_name: { prefix: "spiffe://" } } }, {}, {}, false],
  [{ direct_remote_ip: { address_prefix: "10.0.0.1", prefix_len: 32 } }, {}, {}, true],
  [
    { direct_remote_ip: { address_prefix: "1.1.1.1", prefix_len: 32 } },
    { headers: { "x-forwarded-for": "1.1.1.1" } },
    {},
    false,
  ],
  [
    { remote_ip: { address_prefix: "1.1.1.1", prefix_len: 32 } },
    { headers: { "x-forwarded-for": "1.1.1.1" } },
    {},
    true,
  ],
  [
    { remote_ip: { address_prefix: "10.0.0.0", prefix_len: 8 } },
    { headers: { "x-forwarded-for": "1.1.1.1" } },
    {},
    false,
  ],
  [{ header: { name: "x-user", present_match: true } }, { headers: { "x-user": "" } }, {}, true],
  [{ url_path: { path: { exact: "/a" } } }, { path: "/a" }, {}, true],
  [{ and_ids: { ids: [{ any: true }, { authenticated: {} }] } }, {}, { peer: web }, true],
  [{ and_ids: { ids: [{ any: true }, { authenticated: {} }] } }, {}, {}, false],
  [{ or_ids: { ids: [{ authenticated: {} }, { any: true }] } }, {}, {}, true],
  [{ not_id: { authenticated: {} } }, {}, {}, true],
  [{ not_id: { any: true } }, {}, {}, false],
];

test("each permission and principal matches what it names", () => {
  const check = (own: JsonObject, [rule, request, connection, expected]: Case): void => {
    const mesh = rbacMesh({ rules: { action: "ALLOW", policies: { p: own } } });
    mesh.decide(request, connection);
    assert.equal(mesh.out.kind === "forward", expected, `${JSON.stringify(rule)} on ${JSON.stringify(request)}`);
  };
  for (const row of permissions) check(policy([row[0]], any), row);
  for (const row of principals) check(policy(any, [row[0]]), row);
  // Several permissions are alternatives, several principals too; one of each must hold.
  check(policy([{ destination_port: 1 }, { any: true }], [{ authenticated: {} }, { any: true }]), [{}, {}, {}, true]);
  check(policy([{ any: true }], [{ authenticated: {} }]), [{}, {}, {}, false]);
});

const getPolicy = policy([{ header: { name: ":method", string_match: { exact: "GET" } } }], any);

test("ALLOW, DENY and LOG decide as Envoy's", () => {
  const outcome = (rules: JsonObject, method: string): [number, string, string | undefined] => {
    const mesh = rbacMesh({ rules });
    const req = mesh.decide({ method });
    return [mesh.out.status, mesh.out.kind === "forward" ? "" : req.details, mesh.out.policy?.name];
  };
  const named = { "ns[shop]-policy[reads]-rule[2]": getPolicy };
  assert.deepEqual(outcome({ action: "ALLOW", policies: named }, "GET"), [0, "", undefined]);
  assert.deepEqual(outcome({ action: "ALLOW", policies: named }, "PUT"), [
    403,
    "rbac_access_denied_matched_policy[none]",
    undefined,
  ]);
  assert.deepEqual(outcome({ action: "DENY", policies: named }, "GET"), [
    403,
    "rbac_access_denied_matched_policy[ns[shop]-policy[reads]-rule[2]]",
    "ns[shop]-policy[reads]-rule[2]",
  ]);
  assert.deepEqual(outcome({ action: "DENY", policies: named }, "PUT"), [0, "", undefined]);
  assert.deepEqual(outcome({ action: "LOG", policies: named }, "GET"), [0, "", undefined]);
  // Without policies, ALLOW allows nothing and DENY denies nothing.
  assert.equal(outcome({ action: "ALLOW", policies: {} }, "GET")[0], 403);
  assert.equal(outcome({ action: "DENY", policies: {} }, "GET")[0], 0);
  // Policies are asked in the order of their names, and blanks in names are replaced.
  assert.equal(
    outcome({ action: "DENY", policies: { "b policy": getPolicy, "a policy": getPolicy } }, "GET")[1],
    "rbac_access_denied_matched_policy[a_policy]",
  );
  const mesh = rbacMesh({ rules: { action: "DENY", policies: named } });
  const req = mesh.decide();
  assert.equal(mesh.out.body, "RBAC: access denied");
  assert.deepEqual(req.decidedBy, {
    kind: "AuthorizationPolicy",
    namespace: "shop",
    name: "reads",
    rule: "2",
    generation: undefined,
  });
  assert.deepEqual(req.flags, []);
});

test("a filter without rules enforces nothing", () => {
  const mesh = rbacMesh({});
  mesh.decide();
  assert.equal(mesh.out.kind, "forward");
});

test("input that cannot be read is denied under every action, whatever byte it is and however often it is inverted", () => {
  const regex = (invert: boolean): JsonObject => ({
    header: { name: "x-user", safe_regex_match: { regex: "bob.*" }, invert_match: invert },
  });
  const shapes = [
    regex(false),
    regex(true),
    { not_rule: regex(false) },
    { not_rule: { not_rule: regex(false) } },
    { and_rules: { rules: [{ any: true }, regex(false)] } },
    { or_rules: { rules: [regex(false), { destination_port: 1 }] } },
  ];
  for (let byte = 0x80; byte <= 0xff; byte++) {
    const headers = { "x-user": `bob${String.fromCharCode(byte)}` };
    for (const shape of byte % 16 === 0 ? shapes : shapes.slice(0, 2)) {
      for (const action of ["ALLOW", "DENY"]) {
        const mesh = rbacMesh({ rules: { action, policies: { p: policy([shape], any) } } });
        const req = mesh.decide({ headers });
        assert.deepEqual(
          [mesh.out.status, mesh.out.code, req.details],
          [403, "policy_unreadable", "rbac_access_denied_matched_policy[p]"],
          `${action} ${JSON.stringify(shape)} 0x${byte.toString(16)}`,
        );
      }
    }
  }
  // What can be read decides before what cannot: another ALLOW policy that matches, a DENY policy that matches.
  const readable = rbacMesh({
    rules: { action: "ALLOW", policies: { a: policy([regex(false)], any), b: policy(any, any) } },
  });
  readable.decide({ headers: { "x-user": "bob\x80" } });
  assert.equal(readable.out.kind, "forward");
  const denying = rbacMesh({
    rules: { action: "DENY", policies: { a: policy([regex(false)], any), b: policy(any, any) } },
  });
  const denied = denying.decide({ headers: { "x-user": "bob\x80" } });
  assert.equal(denied.details, "rbac_access_denied_matched_policy[b]");
  // A request that has no path cannot be judged by one.
  const pathless = rbacMesh({
    rules: { action: "DENY", policies: { p: policy([{ url_path: { path: { prefix: "/admin" } } }], any) } },
  });
  pathless.decide({ method: "OPTIONS", path: "*" });
  assert.equal(pathless.out.code, "policy_unreadable");
  // Logging never denies.
  const logging = rbacMesh({ rules: { action: "LOG", policies: { p: policy([regex(false)], any) } } });
  logging.decide({ headers: { "x-user": "bob\x80" } });
  assert.equal(logging.out.kind, "forward");
});

test("UTF-8 in a header is text to a policy's regex", () => {
  const mesh = rbacMesh({
    rules: {
      action: "ALLOW",
      policies: { p: policy([{ header: { name: "x-user", safe_regex_match: { regex: "J.rg" } } }], any) },
    },
  });
  mesh.decide({ headers: { "x-user": "J\xc3\xb6rg" } });
  assert.equal(mesh.out.kind, "forward");
});

test("shadow rules are reported and never enforced", () => {
  const shadow = {
    shadow_rules: { action: "DENY", policies: { strict: getPolicy } },
    shadow_rules_stat_prefix: "dry_run_",
  };
  const mesh = rbacMesh(shadow);
  const denied = mesh.decide();
  assert.deepEqual([mesh.out.kind, denied.shadowPolicy, denied.shadowResult], ["forward", "strict", "denied"]);
  const allowed = mesh.decide({ method: "PUT" });
  assert.deepEqual([allowed.shadowPolicy, allowed.shadowResult], ["", "allowed"]);
  assert.deepEqual(allowed.shadows, [{ statPrefix: "dry_run_", policy: "", result: "allowed" }]);
  const network = authorizeConnection(
    networkChain({ ...shadow, shadow_rules: { action: "DENY", policies: { strict: policy(any, any) } } }),
    connectionView(),
  );
  assert.deepEqual(
    [network.allowed, network.shadows],
    [true, [{ statPrefix: "dry_run_", policy: "strict", result: "denied" }]],
  );
});

function networkListener(filter: JsonObject): JsonObject {
  return {
    name: "tcp",
    address: { socket_address: { address: "127.0.0.1", port_value: 1 } },
    filter_chains: [
      {
        filters: [
          { name: "rbac", typed_config: { "@type": typeUrls.networkRbac, stat_prefix: "rbac", ...filter } },
          { name: "tcp", typed_config: { "@type": typeUrls.tcpProxy, stat_prefix: "tcp", cluster: "a" } },
        ],
      },
    ],
  };
}

function networkChain(filter: JsonObject): BoundFilterChain {
  const config = configOf(loadListener(fromEnvoyJson(ListenerSchema, networkListener(filter))));
  const snapshot = applyDelta(emptySnapshot, { listeners: { set: [config], remove: [] } });
  return snapshot.listeners.get("tcp")?.chains[0] as BoundFilterChain;
}

test("a network filter judges the connection", () => {
  const only = (principal: JsonObject, action = "ALLOW") =>
    networkChain({
      rules: { action, policies: { "ns[a]-policy[b]-rule[0]": policy([{ destination_port: 8080 }], [principal]) } },
    });
  const mutual = connectionView({ peer: web, isTls: true });
  const named = { authenticated: { principal_name: { exact: "spiffe://td/ns/shop/sa/web" } } };
  assert.equal(authorizeConnection(only(named), mutual).allowed, true);
  const refused = authorizeConnection(only(named), connectionView());
  assert.deepEqual(
    [refused.allowed, refused.code, refused.details],
    [false, "rbac_denied", "rbac_access_denied_matched_policy[none]"],
  );
  const denied = authorizeConnection(only(named, "DENY"), mutual);
  assert.deepEqual(
    [denied.allowed, denied.details, denied.policy?.provenance?.name],
    [false, "rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]", "b"],
  );
  assert.equal(
    authorizeConnection(only({ remote_ip: { address_prefix: "10.0.0.1", prefix_len: 32 } }), connectionView()).allowed,
    true,
  );
  const unreadable = authorizeConnection(
    only({ direct_remote_ip: { address_prefix: "10.0.0.0", prefix_len: 8 } }, "DENY"),
    connectionView({ remoteAddress: { host: "/run/socket", port: 0 } }),
  );
  assert.deepEqual([unreadable.allowed, unreadable.code], [false, "policy_unreadable"]);
});

test("the denial in the stead of a resource that could not be read says so, and which it is", () => {
  for (const [kind, name] of [
    ["AuthorizationPolicy", "ns[a]-policy[b]-rule[unreadable]"],
    ["PeerAuthentication", "ns[a]-peer-authentication[b]-rule[unreadable]"],
  ] as const) {
    const chain = networkChain({ rules: { action: "DENY", policies: { [name]: policy(any, any) } } });
    const { allowed, code, policy: decisive } = authorizeConnection(chain, connectionView());
    const { namespace, name: resource } = decisive?.provenance ?? {};
    assert.deepEqual(
      [allowed, code, decisive?.provenance?.kind, namespace, resource],
      [false, "policy_unreadable", kind, "a", "b"],
    );
  }
});

test("a network filter refuses conditions on requests, which it would never see", () => {
  const load = (own: JsonObject): string[] =>
    problemsOf(
      loadListener(fromEnvoyJson(ListenerSchema, networkListener({ rules: { action: "DENY", policies: { p: own } } }))),
    );
  const at = 'filter_chains[0].filters[0].typed_config.rules.policies["p"]';
  assert.deepEqual(load(policy([{ not_rule: { header: { name: "a", present_match: true } } }], any)), [
    `${at}.permissions[0].not_rule.header: a network filter sees no request`,
  ]);
  assert.deepEqual(load(policy(any, [{ url_path: { path: { exact: "/" } } }])), [
    `${at}.principals[0].url_path: a network filter sees no request`,
  ]);
});
