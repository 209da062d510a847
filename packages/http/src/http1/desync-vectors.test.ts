import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { HeaderList } from "../header-list.ts";
import { removeHopByHop } from "../hop-by-hop.ts";
import type { DecodedRequest } from "../testing/recorder.ts";
import { decodeRequests } from "../testing/recorder.ts";
import { encodeRequestHead } from "./encoder.ts";
import type { Framing } from "./framing.ts";

/** Requests that have led two servers to two readings, collected by aws/http-desync-guardian (Apache-2.0); data only, kept outside of this repository. */
const folder = fileURLToPath(new URL("../../../../../shared/vectors/http1-desync/", import.meta.url));

interface Vector {
  name: string;
  method: string;
  uri: string;
  version: string;
  headers?: { name: string; value: string | number | null }[];
  expected: { tier: "Compliant" | "Acceptable" | "Ambiguous" | "Severe"; reason: string };
}

/** What is accepted although the collection calls it ambiguous, each with the reason why nobody behind us can read it otherwise. */
const acceptedOnPurpose: Record<string, string> = {
  "Transfer_Encoding with underscore.":
    "a field like any other; names with underscores are the engine's decision (headers_with_underscores_action)",
  "Content_Length with underscore.": "the same",
  "Transfer-Encoding with multiple hyphens": "a field like any other: no server takes it for Transfer-Encoding",
  "Transfer-Encoding with multiple delimiters": "as with one underscore",
  "Get with a body and Content-Length":
    "RFC 9110 §9.3.1 gives it no meaning but a body; it is read by its length and forwarded with one length",
  "Get with a body and Transfer-Encoding": "the same, in chunks of our own",
  "Head with a body and Content-Length": "the same (RFC 9110 §9.3.2)",
  "Head with a body and Transfer-Encoding": "the same",
  "Has a CL in GET": "the same",
  "Has a TE in GET": "the same",
};

/** What is refused although the collection calls it compliant. */
const refusedOnPurpose: Record<string, string> = {
  "Correct TE OK": "a coding besides chunked: 501, as RFC 9112 §6.1 asks of who does not understand it",
  "Transfer-Encoding: identity and chunked OK": "the same; identity is no coding any more (RFC 9112 §7)",
  "Multiple transfer encoding headers in a single request OK": "the same",
  "Different Transfer-Encoding headers": "the same",
  "Different Transfer-Encoding headers combined": "the same",
  "TE with custom parameters OK": "chunked takes no parameters (RFC 9112 §7.1)",
  "Transfer-Encoding with a param: chunked;custom_param": "the same",
  "Compliant URL": "a fragment or bytes above ASCII in the target (RFC 9112 §3.2, RFC 3986 §2)",
  "International in URI": "the same",
  "Empty URI": "a request line without a target (RFC 9112 §3)",
};

/** The vector on the wire. Most name no Host, which HTTP/1.1 demands and which is not what they are about. */
function wire(vector: Vector): Buffer {
  const fields = (vector.headers ?? []).map(({ name, value }) => `${name}: ${value ?? ""}\r\n`).join("");
  const needsHost = vector.version === "HTTP/1.1" && !/^host:/im.test(fields);
  const text = `${vector.method} ${vector.uri} ${vector.version}\r\n${needsHost ? "Host: a\r\n" : ""}${fields}\r\n`;
  return Buffer.from(text, /[\u0100-\uffff]/.test(text) ? "utf8" : "latin1");
}

/** The head as it is forwarded. */
function forwarded(request: DecodedRequest): string {
  const { head } = request;
  const headers = HeaderList.of(...head.headers);
  removeHopByHop(headers, false);
  const framing: Framing =
    head.bodyKind === "length" ? { kind: "length", bytes: head.contentLength } : { kind: head.bodyKind };
  const text = encodeRequestHead(head.method, head.path, head.authority, headers, framing);
  assert.ok(text !== undefined);
  return text;
}

/** One request line, one field a line, at most one framing field, and that in its one canonical form. */
function assertUnambiguous(text: string): void {
  assert.match(
    text,
    /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [!-~]+ HTTP\/1\.1\r\n([!#$%&'*+\-.^_`|~0-9a-z]+: ([!-~\x80-\xff]([\t -~\x80-\xff]*[!-~\x80-\xff])?)?\r\n)*\r\n$/,
  );
  const framing = text.match(/^(content-length|transfer-encoding):.*$/gm) ?? [];
  assert.ok(framing.length <= 1, framing.join());
  for (const field of framing) assert.match(field, /^(content-length: (0|[1-9]\d*)|transfer-encoding: chunked)\r?$/);
  assert.equal(text.match(/^host:/gm)?.length, 1);
}

if (!existsSync(folder)) {
  test("the labelled desync requests are refused or unambiguous", {
    skip: "the request-smuggling vectors (../shared/vectors/http1-desync) are not on this machine",
  });
} else {
  const files = readdirSync(folder).filter((file) => file.endsWith(".yaml"));
  const vectors = files.flatMap((file) => parse(readFileSync(`${folder}${file}`, "utf8")) as Vector[]);

  test("the collection is the one that the decisions below were made for", () => {
    assert.equal(vectors.length, 158);
    const names = new Set(vectors.map((vector) => vector.name));
    for (const name of [...Object.keys(acceptedOnPurpose), ...Object.keys(refusedOnPurpose)])
      assert.ok(names.has(name), name);
  });

  for (const vector of vectors) {
    const { tier } = vector.expected;
    test(`${tier}: ${vector.name}`, () => {
      const run = decodeRequests(wire(vector));
      const [request] = run.requests;
      if (request !== undefined) assertUnambiguous(forwarded(request));
      const isAccepted = request !== undefined && run.violation === "";
      if (tier === "Severe") assert.equal(isAccepted, false);
      if (tier === "Ambiguous") assert.equal(isAccepted, vector.name in acceptedOnPurpose);
      if (tier === "Compliant") assert.equal(isAccepted, !(vector.name in refusedOnPurpose));
    });
  }
}
