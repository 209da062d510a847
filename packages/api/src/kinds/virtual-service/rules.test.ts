import assert from "node:assert/strict";
import { test } from "node:test";
import { documentOf, resourceOf, specFindings } from "../../testing/resources.ts";

/** Findings of one http route, with lines counted from its own first line. */
function routeFindings(route: string): string[] {
  const indented = route.trim().split("\n").join("\n  ");
  return specFindings("VirtualService", `hosts: [a]\nhttp:\n- ${indented}`).map((finding) => {
    const [code, line] = finding.split(":");
    return `${code}:${Number(line) - 2}`;
  });
}

const to = "route: [{ destination: { host: a } }]";

const routes: readonly [string, string, readonly string[]][] = [
  [
    "a host may not be set and added",
    `${to}\nheaders:\n  request:\n    set: { host: b }\n    add: { ":authority": b }`,
    ["HDL0019:5"],
  ],
  [
    "another header beside a changed host is fine",
    `${to}\nrewrite: { authority: a }\nheaders: { request: { set: { x: b } } }`,
    [],
  ],
  [
    "a prefix must be matched in every entry to be replaced",
    "redirect: { prefixRewrite: /b }\nmatch: [{ uri: { prefix: /a } }, { port: 80 }]",
    ["HDL0022:1"],
  ],
  ["a plain route is fine", to, []],
  ["a route without an action is refused", "match: [{ uri: { exact: /a } }]", ["HDL0020:1"]],
  ["route and redirect exclude each other", `${to}\nredirect: { uri: /a }`, ["HDL0019:2"]],
  [
    "redirect and directResponse exclude each other",
    "directResponse: { status: 200 }\nredirect: { uri: /a }",
    ["HDL0019:1"],
  ],
  ["a redirect is not rewritten", "redirect: { uri: /a }\nrewrite: { uri: /b }", ["HDL0019:2"]],
  ["a redirect injects no fault", "redirect: { uri: /a }\nfault: { abort: { httpStatus: 503 } }", ["HDL0019:2"]],
  ["a direct response has no retries", "directResponse: { status: 200 }\nretries: { attempts: 1 }", ["HDL0019:2"]],
  [
    "4.4: weights of several destinations that add up to zero are refused",
    "route:\n- destination: { host: a }\n- destination: { host: b }\n  weight: 0",
    ["HDL0021:1"],
  ],
  [
    "4.4: one weight above zero is enough",
    "route:\n- destination: { host: a }\n- destination: { host: b }\n  weight: 1",
    [],
  ],
  ["4.4: a single destination needs no weight", "route: [{ destination: { host: a }, weight: 0 }]", []],
  ["a weight below zero is refused", "route: [{ destination: { host: a }, weight: -1 }]", ["HDL0014:1"]],
  ["4.4: exactly one of exact, prefix and regex", `${to}\nmatch: [{ uri: { exact: /a, prefix: /b } }]`, ["HDL0019:2"]],
  ["an empty match of the uri is refused", `${to}\nmatch: [{ uri: {} }]`, ["HDL0020:2"]],
  [
    "4.4: an empty match of a header asks for presence",
    `${to}\nmatch: [{ headers: { x: {} }, withoutHeaders: { y: {} }, queryParams: { z: {} } }]`,
    [],
  ],
  ["a header may be matched against an empty text", `${to}\nmatch: [{ headers: { x: { exact: "" } } }]`, []],
  ["an empty prefix is refused", `${to}\nmatch: [{ uri: { prefix: "" } }]`, ["HDL0014:2"]],
  ["an expression outside of RE2 is refused", `${to}\nmatch: [{ uri: { regex: "(?!a)" } }]`, ["HDL0018:2"]],
  [
    "4.4: sourceLabels beside gateways have no effect",
    `${to}\nmatch:\n- gateways: [mesh]\n  sourceLabels: { a: b }\n  sourceNamespace: c`,
    ["HDL0032:4", "HDL0032:5"],
  ],
  [
    "ignoreUriCase without a uri has no effect",
    `${to}\nmatch: [{ ignoreUriCase: true, uri: { regex: a } }]`,
    ["HDL0032:2"],
  ],
  ["ignoreUriCase with a prefix is fine", `${to}\nmatch: [{ ignoreUriCase: true, uri: { prefix: /a } }]`, []],
  ["a gateway is not supported yet", `${to}\nmatch: [{ gateways: [edge] }]`, ["HDL0016:2"]],
  ["the scheme is not supported yet", `${to}\nmatch: [{ scheme: { exact: http } }]`, ["HDL0012:2"]],
  ["a redirect must change something", "redirect: {}", ["HDL0020:1"]],
  ["304 is no redirect", "redirect: { uri: /a, redirectCode: 304 }", ["HDL0015:1"]],
  ["308 is a redirect", "redirect: { uri: /a, redirectCode: 308 }", []],
  ["port and derivePort exclude each other", "redirect: { port: 80, derivePort: FROM_REQUEST_PORT }", ["HDL0019:1"]],
  ["a prefix can only be replaced where one is matched", "redirect: { prefixRewrite: /b }", ["HDL0022:1"]],
  ["a matched prefix can be replaced", "redirect: { prefixRewrite: /b }\nmatch: [{ uri: { prefix: /a } }]", []],
  ["a rewrite must change something", `${to}\nrewrite: {}`, ["HDL0020:2"]],
  [
    "uri and uriRegexRewrite exclude each other",
    `${to}\nrewrite: { uri: /a, uriRegexRewrite: { match: a, rewrite: b } }`,
    ["HDL0019:2"],
  ],
  [
    "a rewrite may name groups that exist",
    `${to}\nrewrite: { uriRegexRewrite: { match: "(a)(b)", rewrite: '\\2\\1\\0\\\\' } }`,
    [],
  ],
  [
    "a rewrite may not name groups that do not exist",
    `${to}\nrewrite: { uriRegexRewrite: { match: "(a)", rewrite: '\\2' } }`,
    ["HDL0017:2"],
  ],
  [
    "a backslash before anything else is refused",
    `${to}\nrewrite: { uriRegexRewrite: { match: "(a)", rewrite: '\\n' } }`,
    ["HDL0017:2"],
  ],
  ["4.6: attempts: 0 switches retries off", `${to}\nretries: { attempts: 0 }`, []],
  [
    "retries that are off must not be configured",
    `${to}\nretries:\n  attempts: 0\n  retryOn: 5xx\n  perTryTimeout: 1s`,
    ["HDL0022:5", "HDL0022:4"],
  ],
  ["retries without attempts are off, and must not be configured", `${to}\nretries: { retryOn: 5xx }`, ["HDL0022:2"]],
  ["negative attempts are refused", `${to}\nretries: { attempts: -1 }`, ["HDL0014:2"]],
  [
    "4.6: numbers in retryOn are status codes",
    `${to}\nretries: { attempts: 1, retryOn: "connect-failure,503,reset" }`,
    [],
  ],
  ["an unknown retry condition is refused", `${to}\nretries: { attempts: 1, retryOn: "5xx,sometimes" }`, ["HDL0017:2"]],
  [
    "a retry condition that would do nothing is refused",
    `${to}\nretries: { attempts: 1, retryOn: retriable-headers }`,
    ["HDL0016:2"],
  ],
  [
    "a perTryTimeout that is not shorter than the timeout has no effect",
    `${to}\ntimeout: 1s\nretries: { attempts: 1, perTryTimeout: 1s }`,
    ["HDL0032:3"],
  ],
  ["a timeout of zero is refused", `${to}\ntimeout: 0s`, ["HDL0017:2"]],
  ["a fault must do something", `${to}\nfault: {}`, ["HDL0020:2"]],
  ["a delay needs its duration", `${to}\nfault: { delay: { percentage: { value: 10 } } }`, ["HDL0013:2"]],
  [
    "a fault of more than 100 % is refused",
    `${to}\nfault: { abort: { httpStatus: 500, percentage: { value: 101 } } }`,
    ["HDL0014:2"],
  ],
  ["an abort with a status that is none is refused", `${to}\nfault: { abort: { httpStatus: 99 } }`, ["HDL0014:2"]],
  [
    "4.4: timeout and retries beside a fault are said to have no effect",
    `${to}\nfault: { abort: { httpStatus: 500 } }\ntimeout: 1s\nretries: { attempts: 1 }`,
    ["HDL0031:3", "HDL0031:4"],
  ],
  [
    "mirror and mirrors exclude each other",
    `${to}\nmirror: { host: b }\nmirrors: [{ destination: { host: b } }]`,
    ["HDL0019:3"],
  ],
  ["mirrorPercentage needs mirror", `${to}\nmirrorPercentage: { value: 5 }`, ["HDL0022:2"]],
  ["4.4: a mirror of 0 % is fine", `${to}\nmirror: { host: b }\nmirrorPercentage: { value: 0 }`, []],
  ["mirrorPercent points to its successor", `${to}\nmirrorPercent: 5`, ["HDL0012:2"]],
  [
    "the host of a request may be set as a header",
    `${to}
headers: { request: { set: { Host: b } } }`,
    [],
  ],
  [
    "the host of a request may be set as a pseudo-header",
    `${to}
headers: { request: { add: { ":authority": b } } }`,
    [],
  ],
  [
    "the host of a request may be changed once",
    `${to}
rewrite: { authority: a }
headers: { request: { set: { host: b } } }`,
    ["HDL0019:3"],
  ],
  [
    "the host of a request cannot be removed",
    `${to}
headers: { request: { remove: [host] } }`,
    ["HDL0017:2"],
  ],
  [
    "a response has no host",
    `${to}
headers: { response: { set: { host: b } } }`,
    ["HDL0017:2"],
  ],
  ["pseudo-headers cannot be removed", `${to}\nheaders: { response: { remove: [":status"] } }`, ["HDL0017:2"]],
  ["a header value cannot end the header", `${to}\nheaders: { request: { add: { x: "a\\r\\nb: c" } } }`, ["HDL0017:2"]],
  [
    "operators that the engine fills in pass in header values",
    `${to}
headers: { request: { add: { x: "%REQ(a?b):9% 5%% %DOWNSTREAM_REMOTE_ADDRESS% é 日" } } }`,
    [],
  ],
  [
    "an operator that is not filled in yet is refused",
    `${to}
headers: { request: { add: { x: "%PROTOCOL%" } } }`,
    ["HDL0016:2"],
  ],
  [
    "a lone % in a header value is refused",
    `${to}
headers: { request: { add: { x: "5%" } } }`,
    ["HDL0017:2"],
  ],
  ["a destination needs a host", "route: [{ destination: {} }]", ["HDL0013:1"]],
  ["a wildcard is no destination", 'route: [{ destination: { host: "*.a" } }]', ["HDL0017:1"]],
  ["port 0 is no port", "route: [{ destination: { host: a, port: { number: 0 } } }]", ["HDL0014:1"]],
  [
    "two bodies exclude each other",
    'directResponse: { status: 200, body: { string: a, bytes: "YQ==" } }',
    ["HDL0019:1"],
  ],
  ["a body that is no base64 is refused", 'directResponse: { status: 200, body: { bytes: "a b" } }', ["HDL0017:1"]],
];

for (const [title, route, expected] of routes) {
  test(title, () => {
    assert.deepEqual(routeFindings(route), expected);
  });
}

const specs: readonly [string, string, readonly string[]][] = [
  [
    "4.4: one entry of a match without conditions matches everything",
    `hosts: [a]\nhttp:\n- match: [{ uri: { exact: /a } }, { name: all }]\n  ${to}\n- ${to}`,
    ["HDL0030:5"],
  ],
  [
    "a longer prefix matches not everything",
    `hosts: [a]\nhttp:\n- match: [{ uri: { prefix: /a } }]\n  ${to}\n- ${to}`,
    [],
  ],
  ["hosts are required", `http: [{ ${to} }]`, ["HDL0013:0"]],
  ["routes are required", "hosts: [a]", ["HDL0013:0"]],
  ["a host of everything is refused inside the mesh", `hosts: ["*"]\nhttp: [{ ${to} }]`, ["HDL0017:1"]],
  ["a host written twice is refused, whatever its case", `hosts: [a, A]\nhttp: [{ ${to} }]`, ["HDL0023:1"]],
  [
    "gateways other than mesh are not supported yet",
    `hosts: [a]\ngateways: [istio-system/edge]\nhttp: [{ ${to} }]`,
    ["HDL0016:2"],
  ],
  ["exportTo other than everybody is not supported yet", `hosts: [a]\nexportTo: [.]\nhttp: [{ ${to} }]`, ["HDL0016:2"]],
  ["tcp routes are not supported yet", `hosts: [a]\ntcp: []\nhttp: [{ ${to} }]`, ["HDL0012:2"]],
  [
    "4.4: what stands below a route without a match can never match",
    `hosts: [a]\nhttp:\n- ${to}\n- match: [{ uri: { exact: /a } }]\n  ${to}`,
    ["HDL0030:4"],
  ],
  [
    "4.4: a prefix of / without other conditions matches everything",
    `hosts: [a]\nhttp:\n- match: [{ uri: { prefix: / } }]\n  ${to}\n- ${to}`,
    ["HDL0030:5"],
  ],
  [
    "a prefix of / with another condition does not",
    `hosts: [a]\nhttp:\n- match: [{ uri: { prefix: / }, port: 80 }]\n  ${to}\n- ${to}`,
    [],
  ],
];

for (const [title, spec, expected] of specs) {
  test(title, () => {
    assert.deepEqual(specFindings("VirtualService", spec), expected);
  });
}

test("header names in matches and operations come back in lower case", () => {
  const route = `{ match: [{ headers: { X-User: { exact: Bob } } }], headers: { request: { set: { X-Seen: "1" } } }, ${to} }`;
  const { spec } = resourceOf("VirtualService", documentOf("VirtualService", `hosts: [a]\nhttp: [${route}]`));
  assert.deepEqual(spec.http?.[0]?.match, [{ headers: { "x-user": { exact: "Bob" } } }]);
  assert.deepEqual(spec.http?.[0]?.headers, { request: { set: { "x-seen": "1" } } });
});
