import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connectRaw, type RawServer, startRawServer } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, protocolOptions, route } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// How names of fields are written in HTTP/1.1, for peers that do not know that case means nothing.

const formatter =
  "type.googleapis.com/envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig";
const words = { header_key_format: { proper_case_words: {} } };
const kept = (more: object = {}): object => ({
  header_key_format: { stateful_formatter: { name: "x", typed_config: { "@type": formatter, ...more } } },
});

let raw: RawServer;
let proxy: TestProxy;

before(async () => {
  raw = await startRawServer();
  const routes = (name: string): Record<string, unknown>[] => [route("/", name)];
  const upstream = (http1: object): Record<string, unknown> =>
    protocolOptions({ explicit_http_config: { http_protocol_options: { enable_trailers: true, ...http1 } } });
  const manager = (http1: object): Record<string, unknown> => ({
    http_protocol_options: { enable_trailers: true, ...http1 },
  });
  proxy = await TestProxy.start(
    bootstrap(
      [
        httpListener({ name: "lower", routes: routes("lower") }),
        httpListener({ name: "words", routes: routes("words"), manager: manager(words) }),
        httpListener({ name: "kept", routes: routes("kept"), manager: manager(kept()) }),
        httpListener({
          name: "kept-words",
          routes: routes("kept-words"),
          manager: manager(kept({ formatter_type_on_envoy_headers: "PROPER_CASE" })),
        }),
      ],
      [
        cluster("lower", [raw.port]),
        cluster("words", [raw.port], upstream(words)),
        cluster("kept", [raw.port], upstream(kept())),
        cluster("kept-words", [raw.port], upstream(kept({ formatter_type_on_envoy_headers: "PROPER_CASE" }))),
      ],
    ),
  );
});

after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await raw?.[Symbol.asyncDispose]();
});

const request =
  "POST / HTTP/1.1\r\nHOST: x\r\nX-ODD-name: 1\r\nx-odd-NAME: 2\r\nTRANSFER-Encoding: chunked\r\n\r\n0\r\nX-Odd-Trailer: 3\r\n\r\n";
const response =
  "HTTP/1.1 200 OK\r\nETag: 1\r\nX-ODD-name: 2\r\nTransfer-ENCODING: chunked\r\n\r\n0\r\nX-Odd-Trailer: 3\r\n\r\n";

/** The names of the fields as they were written, in the request and in the response. */
async function crossed(listener: string): Promise<{ readonly asked: string; readonly answered: string }> {
  const client = await connectRaw(proxy.port(listener));
  await client.send(request);
  const peer = await raw.next();
  const names = (text: string): string =>
    [...text.matchAll(/^([^:\s]+):/gm)]
      .map(([, name]) => name)
      .filter((name) => /host|odd|etag|encoding|request-id|server/i.test(name ?? ""))
      .join(" ");
  const asked = names((await peer.until("\r\n\r\n")) + (await peer.until("\r\n\r\n")));
  await peer.send(response);
  const answered = names((await client.until("\r\n\r\n")) + (await client.until("\r\n\r\n")));
  peer.socket.destroy();
  client.socket.destroy();
  return { asked, answered };
}

test("names are written as each side's header_key_format says", async () => {
  assert.deepEqual(await crossed("lower"), {
    asked: "host x-odd-name x-odd-name x-request-id transfer-encoding",
    answered: "etag x-odd-name server transfer-encoding",
  });
  assert.deepEqual(await crossed("words"), {
    asked: "Host X-Odd-Name X-Odd-Name X-Request-Id Transfer-Encoding X-Odd-Trailer",
    answered: "Etag X-Odd-Name Server Transfer-Encoding X-Odd-Trailer",
  });
  assert.deepEqual(await crossed("kept"), {
    asked: "HOST X-ODD-name X-ODD-name x-request-id TRANSFER-Encoding X-Odd-Trailer",
    answered: "ETag X-ODD-name server Transfer-ENCODING X-Odd-Trailer",
  });
  assert.deepEqual(await crossed("kept-words"), {
    asked: "HOST X-ODD-name X-ODD-name X-Request-Id TRANSFER-Encoding X-Odd-Trailer",
    answered: "ETag X-ODD-name Server Transfer-ENCODING X-Odd-Trailer",
  });
});

test("names that were kept in pieces are the same, and policy and routes see them in lower case", async () => {
  const client = await connectRaw(proxy.port("kept"));
  for (const byte of "GET / HTTP/1.1\r\nHosT: x\r\nX-LonG-NamE: value\r\n\r\n") await client.send(byte);
  const peer = await raw.next();
  assert.match(await peer.until("\r\n\r\n"), /\r\nHosT: x\r\nX-LonG-NamE: value\r\n/);
  peer.socket.destroy();
  client.socket.destroy();
});

test("a message's names go with it alone: the next one on the connection has its own", async () => {
  const client = await connectRaw(proxy.port("kept"));
  for (const name of ["X-One", "x-ONE"]) {
    await client.send(`GET / HTTP/1.1\r\nhost: x\r\n${name}: 1\r\n\r\n`);
    const peer = await raw.next();
    assert.match(await peer.until("\r\n\r\n"), new RegExp(`\r\n${name}: 1\r\n`));
    await peer.send("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
    await client.response();
    peer.socket.destroy();
  }
  client.socket.destroy();
});
