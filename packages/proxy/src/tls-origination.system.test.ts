// TLS that the proxy begins, towards servers that nobody here wrote: nginx, which tells what it saw of the handshake, and openssl's own.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePort, ThrowawayCa } from "@heddle/testkit";
import { bootstrap, cluster, fileLog, httpListener, protocolOptions, route } from "./testing/bootstrap-json.ts";
import { untilLogged } from "./testing/log-file.ts";
import { TestProxy } from "./testing/test-proxy.ts";

type Json = Record<string, unknown>;

const children: ChildProcess[] = [];
let folder: string;
let nginxPort: number;
let opensslPort: number;
let proxy: TestProxy;

async function serve(program: string, args: readonly string[], port: number): Promise<void> {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  children.push(child);
  let words = "";
  child.stderr.on("data", (chunk: Buffer) => (words += chunk.toString()));
  for (;;) {
    assert.equal(child.exitCode, null, `${program} ended: ${words}`);
    const socket = connect(port, "127.0.0.1");
    const isUp = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    socket.destroy();
    if (isUp) return;
  }
}

/** A cluster whose endpoint is spoken to over TLS, as a DestinationRule's SIMPLE (no certificate of ours) or MUTUAL. */
function secured(
  name: string,
  port: number,
  sni: string,
  own: { mutual?: string; ca?: string; crl?: string; params?: Json },
): Json {
  const file = (path: string): Json => ({ filename: join(folder, path) });
  return cluster(name, [port], {
    // Each request its own connection: what is told is of its own handshake.
    ...protocolOptions({
      common_http_protocol_options: { max_requests_per_connection: 1 },
      explicit_http_config: { http_protocol_options: {} },
    }),
    transport_socket: {
      name: "tls",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        sni,
        common_tls_context: {
          ...(own.params === undefined ? {} : { tls_params: own.params }),
          alpn_protocols: ["http/1.1"],
          ...(own.mutual === undefined
            ? {}
            : {
                tls_certificates: [
                  { certificate_chain: file(`${own.mutual}.pem`), private_key: file(`${own.mutual}.key`) },
                ],
              }),
          validation_context: {
            trusted_ca: file(own.ca ?? "ca.pem"),
            match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: sni } }],
            ...(own.crl === undefined ? {} : { crl: file(own.crl) }),
          },
        },
      },
    },
  });
}

const clusters = (): readonly Json[] => [
  secured("simple", nginxPort, "simple.example", {}),
  secured("mutual", nginxPort, "mutual.example", { mutual: "web" }),
  secured("nobody", nginxPort, "mutual.example", {}),
  secured("old", nginxPort, "simple.example", {
    params: { tls_maximum_protocol_version: "TLSv1_2", cipher_suites: ["ECDHE-ECDSA-AES256-GCM-SHA384"] },
  }),
  secured("stranger", nginxPort, "simple.example", { ca: "other-ca.pem" }),
  secured("misnamed", nginxPort, "absent.example", {}),
  secured("listed", nginxPort, "simple.example", { crl: "empty.crl" }),
  secured("revoked", nginxPort, "simple.example", { crl: "revoked.crl" }),
  secured("openssl", opensslPort, "simple.example", { mutual: "web" }),
  secured("openssl-nobody", opensslPort, "simple.example", {}),
];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-origination-"));
  const [ca, other] = [await ThrowawayCa.create(), await ThrowawayCa.create()];
  const issue = (name: string) => ca.issue("", { uris: [], dnsNames: [name] });
  const [simple, mutual] = [await issue("simple.example"), await issue("mutual.example")];
  const web = await ca.issue("spiffe://cluster.local/ns/default/sa/web");
  const files: Record<string, string> = {
    "ca.pem": ca.certificatePem,
    "other-ca.pem": other.certificatePem,
    "empty.crl": await ca.revoke([]),
    "revoked.crl": await ca.revoke([simple.serialNumber]),
    "simple.pem": simple.chainPem,
    "simple.key": simple.privateKeyPem,
    "mutual.pem": mutual.chainPem,
    "mutual.key": mutual.privateKeyPem,
    "web.pem": web.chainPem,
    "web.key": web.privateKeyPem,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  [nginxPort, opensslPort] = [await freePort(), await freePort()];
  const told =
    'return 200 "$ssl_server_name $ssl_protocol $ssl_cipher $ssl_client_verify $ssl_session_reused $ssl_alpn_protocol\\n";';
  const server = (name: string, more = ""): string =>
    `server { listen 127.0.0.1:${nginxPort} ssl; server_name ${name}.example; ssl_certificate ${folder}/${name}.pem; ssl_certificate_key ${folder}/${name}.key; ${more} location / { default_type text/plain; ${told} } }`;
  await writeFile(
    join(folder, "nginx.conf"),
    `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log stderr; ${process.getuid?.() === 0 ? "user root;" : ""}
     events { worker_connections 512; }
     http { access_log off; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:1m;
       client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
       ${server("simple")} ${server("mutual", `ssl_verify_client on; ssl_client_certificate ${folder}/ca.pem;`)} }`,
  );
  await serve("nginx", ["-c", join(folder, "nginx.conf"), "-e", "stderr"], nginxPort);
  const own = (name: string): string => join(folder, name);
  await serve(
    "openssl",
    [
      "s_server",
      "-accept",
      `127.0.0.1:${opensslPort}`,
      "-cert",
      own("simple.pem"),
      "-key",
      own("simple.key"),
      "-CAfile",
      own("ca.pem"),
      "-Verify",
      "2",
      "-verify_return_error",
      "-www",
      "-quiet",
    ],
    opensslPort,
  );
  // nginx chooses the certificate by SNI, and who answers by the host.
  const routes = clusters().map(({ name, transport_socket: socket }) =>
    route(`/${String(name)}/`, String(name), {
      host_rewrite_literal: (socket as { typed_config: { sni: string } }).typed_config.sni,
    }),
  );
  const manager = fileLog(join(folder, "access.log"), "%UPSTREAM_CLUSTER%: %UPSTREAM_TRANSPORT_FAILURE_REASON%");
  proxy = await TestProxy.start(bootstrap([httpListener({ name: "web", routes, manager })], clusters()));
});

after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  for (const child of children) {
    child.kill("SIGTERM");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }
  await rm(folder, { recursive: true, force: true });
});

async function ask(name: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${proxy.port("web")}/${name}/`, { headers: { connection: "close" } });
  return { status: response.status, text: (await response.text()).trim() };
}

test("nginx is spoken to by the name that SNI says, with and without a certificate of ours", async () => {
  const [simple, mutual] = [await ask("simple"), await ask("mutual")];
  assert.match(simple.text, /^simple\.example TLSv1\.3 TLS_\S+ NONE \. http\/1\.1$/);
  assert.match(mutual.text, /^mutual\.example TLSv1\.3 TLS_\S+ SUCCESS \. http\/1\.1$/);
  const nobody = await ask("nobody");
  assert.equal(nobody.status, 400, nobody.text);
  assert.match(nobody.text, /No required SSL certificate was sent/);
});

test("nginx sees TLS 1.2 with the suite that was chosen, and resumed sessions of both versions", async () => {
  for (const [name, version] of [
    ["simple", "TLSv1.3"],
    ["mutual", "TLSv1.3"],
    ["old", "TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384"],
  ] as const) {
    await ask(name);
    const { text } = await ask(name);
    assert.ok(text.includes(` ${version}`), text);
    assert.match(text, / r http\/1\.1$/);
  }
});

test("a server of another authority, with another name, or that is revoked gets no request", async () => {
  for (const [name, reason] of [
    ["stranger", /no_trusted_authority/],
    ["misnamed", /absent\.example/],
    ["revoked", /revoked/],
  ] as const) {
    assert.equal((await ask(name)).status, 503, name);
    const log = join(folder, "access.log");
    await untilLogged(log, `${name}: `);
    assert.match(new RegExp(`^${name}: .*`, "m").exec(await readFile(log, "utf8"))?.[0] ?? "", reason);
  }
  assert.equal((await ask("listed")).status, 200);
});

test("openssl's server verifies the certificate of ours, and gets none where none is configured", async () => {
  const { status, text } = await ask("openssl");
  assert.equal(status, 200);
  assert.match(text, /spiffe|Client certificate|Verify return code: 0/i);
  assert.equal((await ask("openssl-nobody")).status, 503);
});
