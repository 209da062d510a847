import assert from "node:assert/strict";
import { test } from "node:test";
import { readTapConfig } from "./config.ts";

test("nothing at all asks for every request, a hundred of them in a second", () => {
  for (const text of ["", " \n", "{}", '{"match": {}}']) {
    assert.deepEqual(readTapConfig(text), {
      config: { match: { headers: [] }, maxRps: 100, maxEvents: undefined, maxSeconds: undefined },
      problems: [],
    });
  }
});

test("everything that a tap can be asked for is read, in the form that it has on the wire", () => {
  const match = {
    method: "GET",
    path: { prefix: "/bücher/" },
    authority: "Reviews:9080",
    scheme: "https",
    headers: [
      { name: "X-User", exact: "ann" },
      { name: "x-trace", present: true },
    ],
    source: { identity: "spiffe://cluster.local/ns/shop/sa/web" },
    destination: { identity: "spiffe://cluster.local/ns/shop/sa/reviews" },
    direction: "inbound",
  };
  const { config, problems } = readTapConfig(JSON.stringify({ match, maxRps: 1, maxEvents: 2, maxSeconds: 3 }));
  assert.deepEqual(problems, []);
  assert.deepEqual(config, {
    match: {
      method: "GET",
      path: { prefix: "/b\xc3\xbccher/" },
      authority: "reviews:9080",
      scheme: "https",
      headers: [
        { name: "x-user", exact: "ann" },
        { name: "x-trace", exact: undefined },
      ],
      sourceIdentity: "spiffe://cluster.local/ns/shop/sa/web",
      destinationIdentity: "spiffe://cluster.local/ns/shop/sa/reviews",
      direction: "inbound",
    },
    maxRps: 1,
    maxEvents: 2,
    maxSeconds: 3,
  });
});

const refused: readonly [body: unknown, problem: string][] = [
  [[], "the body has to be an object with match, maxRps, maxEvents, maxSeconds"],
  [null, "the body has to be an object with match, maxRps, maxEvents, maxSeconds"],
  [{ maxrps: 1 }, "maxrps is not known: the body has match, maxRps, maxEvents, maxSeconds"],
  [{ maxRps: 0 }, "maxRps has to be a whole number from 1 to 10000"],
  [{ maxRps: "9" }, "maxRps has to be a whole number from 1 to 10000"],
  [{ maxEvents: 1.5 }, "maxEvents has to be a whole number from 1 to 1000000"],
  [{ maxSeconds: 1e9 }, "maxSeconds has to be a whole number from 1 to 86400"],
  [
    { match: "GET" },
    "match has to be an object with method, path, authority, scheme, headers, source, destination, direction",
  ],
  [{ match: { method: "GET /" } }, 'match.method has to be a method like "GET"'],
  [
    { match: { paths: "/" } },
    "match.paths is not known: match has method, path, authority, scheme, headers, source, destination, direction",
  ],
  [{ match: { path: "/" } }, "match.path has to be an object with exact, prefix"],
  [{ match: { path: { prefx: "/" } } }, "match.path.prefx is not known: match.path has exact, prefix"],
  [{ match: { path: {} } }, 'match.path has to be either {"exact": "/books"} or {"prefix": "/books/"}'],
  [
    { match: { path: { exact: "/", prefix: "/" } } },
    'match.path has to be either {"exact": "/books"} or {"prefix": "/books/"}',
  ],
  [
    { match: { path: { prefix: "/a?b" } } },
    'match.path.prefix has to be a path that begins with "/", without "?" and what follows: the query is not compared',
  ],
  [
    { match: { authority: "http://x" } },
    'match.authority has to be what the client names as host, like "reviews:9080"',
  ],
  [{ match: { scheme: "grpc" } }, 'match.scheme has to be one of "http", "https"'],
  [{ match: { direction: "in" } }, 'match.direction has to be one of "inbound", "outbound", "unspecified"'],
  [
    { match: { headers: {} } },
    'match.headers has to be a list of at most 16 like [{"name": "x-user", "exact": "ann"}]',
  ],
  [{ match: { headers: [{ name: "a b", present: true }] } }, "match.headers[0].name has to be the name of a header"],
  [
    { match: { headers: [{ name: "a" }] } },
    'match.headers[0] has to be either "exact" with a value or "present": true',
  ],
  [{ match: { headers: [{ name: "a", present: false }] } }, "match.headers[0].present has to be true, or left out"],
  [{ match: { headers: [{ name: "a", exact: "b\n" }] } }, "match.headers[0].exact has to be the value of a header"],
  [
    { match: { source: { identity: "web" } } },
    'match.source.identity has to be a SPIFFE ID like "spiffe://cluster.local/ns/shop/sa/reviews"',
  ],
  [
    { match: { destination: {} } },
    'match.destination.identity has to be a SPIFFE ID like "spiffe://cluster.local/ns/shop/sa/reviews"',
  ],
];
for (const [body, problem] of refused) {
  test(`the body ${JSON.stringify(body)} is refused by the name of its field`, () => {
    const { config, problems } = readTapConfig(JSON.stringify(body));
    assert.equal(config, undefined);
    assert.deepEqual(problems, [problem]);
  });
}

test("what is no JSON is told so, and all problems are told at once", () => {
  assert.match(readTapConfig("{maxRps").problems.join(), /^the body is no JSON: /);
  assert.equal(readTapConfig('{"maxRps": 0, "match": {"method": ""}, "x": 1}').problems.length, 3);
});
