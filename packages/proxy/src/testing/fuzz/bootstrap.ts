import assert from "node:assert/strict";
import type { FuzzTarget } from "@heddle/testkit";
import { parseBootstrap } from "../../bootstrap/parse.ts";
import { bootstrap, cluster, http2Cluster, httpListener, route, tcpListener } from "../bootstrap-json.ts";

const web = httpListener({ name: "web", routes: [route("/", "app", { timeout: "5s" })] });

export const target: FuzzTarget = {
  about: "no text crashes the reader: it gives a configuration, or problems that each have a message and a hint",
  seeds: [
    JSON.stringify(bootstrap([web], [cluster("app", [80])])),
    JSON.stringify(bootstrap([tcpListener("tcp", "app")], [cluster("app", [80], http2Cluster())])),
    "node: {id: a, cluster: b}\nadmin:\n  address: {socket_address: {address: 127.0.0.1, port_value: 0}}\nstatic_resources:\n  clusters: []\n",
    "a: &x [1, 2]\nb: *x\n",
  ],
  dictionary: [
    '"',
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "true",
    "-1",
    "1e309",
    "4294967296",
    '"@type"',
    "type.googleapis.com/",
    "\n  ",
    "- ",
    "&a ",
    "*a",
    "<<: ",
    "!!binary ",
    "|",
    ">",
    "%YAML 1.2\n---\n",
    "---\n",
    "...",
    "name",
    "address",
    "port_value",
    "filter_chains",
    "typed_config",
    "\ufeff",
    "\0",
    "0.5s",
    "-5s",
    "x".repeat(100),
  ],
  run(input) {
    const { config, problems } = parseBootstrap(input.toString("utf8"));
    assert.equal(config === undefined, problems.length > 0);
    for (const { message, hint } of problems) assert.ok(message !== "" && hint !== "", JSON.stringify(problems));
  },
};
