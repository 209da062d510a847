import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import { documentOf, specFindings } from "../../testing/resources.ts";
import { localMeshJsonSchema } from "./json-schema.ts";

const web = "{ name: web, service: web, command: [node, web.js], port: 8080 }";

/** Third column: whether an editor with the JSON schema can tell, too. */
const cases: readonly [string, string, readonly string[], boolean][] = [
  ["the least that a mesh needs passes", `workloads: [${web}]`, [], true],
  [
    "every field passes",
    `trustDomain: example.org\nrootNamespace: mesh\nmode: ports\nedge: { port: 0, address: "::1", service: web, namespace: shop }\nworkloads:\n- { name: web-v1, service: web, namespace: shop, serviceAccount: w, version: v1, labels: { tier: front }, replicas: 2, command: [a], workingDir: web, port: 80, protocol: http, env: { A_B: "" }, calls: [web, web.shop], readiness: { httpGet: { path: /ready }, timeout: 5s } }`,
    [],
    true,
  ],
  ["workloads are required", "mode: ports", ["HDL0013:0"], true],
  ["an empty mesh is refused", "workloads: []", ["HDL0014:1"], true],
  ["a command is a list", "workloads: [{ name: a, service: a, command: node a.js, port: 1 }]", ["HDL0011:1"], true],
  [
    "a protocol that is not supported yet",
    "workloads:\n- { name: db, service: db, command: [a], port: 5432, protocol: grpc-web }",
    ["HDL0016:2"],
    true,
  ],
  ["both modes pass", `mode: namespaces\nworkloads: [${web}]`, [], true],
  ["a mode that there is not", `mode: tunnels\nworkloads: [${web}]`, ["HDL0015:1"], true],
  [
    "an edge beyond this machine is refused",
    `edge: { service: web, address: 0.0.0.0 }\nworkloads: [${web}]`,
    ["HDL0017:1"],
    false,
  ],
  ["two workloads of one name are refused", `workloads:\n- ${web}\n- ${web}`, ["HDL0023:3"], false],
  [
    "one name in two namespaces is refused, since replicas are named after it",
    `workloads:\n- ${web}\n- { name: web, namespace: b, service: web, command: [a], port: 1 }`,
    ["HDL0023:3"],
    false,
  ],
  [
    "versions of a service share its port",
    `workloads:\n- ${web}\n- { name: web-v2, service: web, command: [a], port: 81 }`,
    ["HDL0022:3"],
    false,
  ],
  ["the edge needs a service that is there", `edge: { service: wbe }\nworkloads: [${web}]`, ["HDL0110:1"], false],
  [
    "calls name services that are there",
    `workloads: [{ name: a, service: a, command: [a], port: 1, calls: [b] }]`,
    ["HDL0110:1"],
    false,
  ],
  [
    "PORT is given, not set",
    `workloads: [{ name: a, service: a, command: [a], port: 1, env: { PORT: "1" } }]`,
    ["HDL0019:1"],
    false,
  ],
  [
    "names of variables have a form",
    `workloads: [{ name: a, service: a, command: [a], port: 1, env: { "A B": "1" } }]`,
    ["HDL0017:1"],
    true,
  ],
  [
    "an unknown field is refused",
    `workloads: [{ name: a, service: a, command: [a], port: 1, cmd: b }]`,
    ["HDL0010:1"],
    true,
  ],
];

for (const [title, spec, expected] of cases) {
  test(title, () => {
    assert.deepEqual(specFindings("LocalMesh", spec), expected);
  });
}

test("the published JSON schema agrees wherever a schema can tell", () => {
  const validate = new Ajv2020({ strict: true, allErrors: true }).compile(localMeshJsonSchema());
  for (const [title, spec, expected, isTold] of cases) {
    const isRight = expected.length === 0 || !isTold;
    assert.equal(
      validate(parse(documentOf("LocalMesh", spec))),
      isRight,
      `${title}: ${JSON.stringify(validate.errors)}`,
    );
  }
});
