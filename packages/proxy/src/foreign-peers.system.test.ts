// The proxy as a process between programs that nobody here wrote: curl, h2load and openssl in front, nginx and haproxy behind.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import type { EchoedRequest, EchoServer } from "@heddle/testkit";
import { freePort, startEchoServer, ThrowawayCa } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route } from "./testing/bootstrap-json.ts";
import { adminGet, listenerPort, ProxyProcess } from "./testing/proxy-process.ts";

const execute = promisify(execFile);
const bigFile = randomBytes(10 * 1024 * 1024);

let folder: string;
let app: EchoServer;
let proxy: ProxyProcess;
let admin: number;
const children: ChildProcess[] = [];

/** Starts a server and waits until its port takes connections. */
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

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-peers-"));
  await writeFile(join(folder, "big.bin"), bigFile);
  await writeFile(join(folder, "index.html"), "hello from nginx\n");
  const [nginxPort, haproxyPort] = [await freePort(), await freePort()];
  await writeFile(
    join(folder, "nginx.conf"),
    `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log stderr; ${process.getuid?.() === 0 ? "user root;" : ""}
     events { worker_connections 512; }
     http { access_log off; keepalive_requests 1000000;
       client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
       server { listen 127.0.0.1:${nginxPort}; root ${folder}; } }`,
  );
  app = await startEchoServer();
  await writeFile(
    join(folder, "haproxy.cfg"),
    `global\n  maxconn 500\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\nfrontend in\n  bind 127.0.0.1:${haproxyPort}\n  default_backend app\nbackend app\n  server app 127.0.0.1:${app.port}\n`,
  );
  await serve("nginx", ["-c", join(folder, "nginx.conf"), "-e", "stderr"], nginxPort);
  await serve("haproxy", ["-db", "-f", join(folder, "haproxy.cfg")], haproxyPort);

  const ca = await ThrowawayCa.create();
  const books = await ca.issue("spiffe://cluster.local/ns/default/sa/books");
  const web = await ca.issue("spiffe://cluster.local/ns/default/sa/web");
  const files = {
    "ca.pem": ca.certificatePem,
    "books.pem": books.chainPem,
    "books.key": books.privateKeyPem,
    "web.pem": web.chainPem,
    "web.key": web.privateKeyPem,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const transportSocket = {
    name: "tls",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
      require_client_certificate: true,
      common_tls_context: {
        tls_params: { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" },
        tls_certificates: [
          {
            certificate_chain: { filename: join(folder, "books.pem") },
            private_key: { filename: join(folder, "books.key") },
          },
        ],
        validation_context: { trusted_ca: { filename: join(folder, "ca.pem") } },
      },
    },
  };
  const routes = [route("/app", "app"), route("/haproxy", "haproxy"), route("/", "nginx")];
  const config = bootstrap(
    [httpListener({ name: "plain", routes }), httpListener({ name: "secure", routes, transportSocket })],
    [cluster("app", [app.port]), cluster("nginx", [nginxPort]), cluster("haproxy", [haproxyPort])],
  );
  await writeFile(join(folder, "bootstrap.json"), JSON.stringify(config));
  proxy = new ProxyProcess(["-c", join(folder, "bootstrap.json")]);
  admin = await proxy.ready();
});

after(async () => {
  await proxy[Symbol.asyncDispose]();
  await app.close();
  for (const child of children) {
    // nginx's master ends its workers when it is asked, not when it is killed.
    child.kill("SIGTERM");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }
  await rm(folder, { recursive: true, force: true });
});

async function url(path: string, listener = "plain"): Promise<string> {
  return `http://127.0.0.1:${await listenerPort(admin, listener)}${path}`;
}

async function curl(...args: string[]): Promise<string> {
  const { stdout } = await execute("curl", ["--silent", "--show-error", "--max-time", "20", ...args], {
    maxBuffer: 1 << 26,
  });
  return stdout;
}

async function counter(name: string): Promise<number> {
  const line = (await adminGet(admin, "/stats")).split("\n").find((text) => text.startsWith(`${name}: `));
  return Number(line?.split(": ")[1] ?? 0);
}

test("ten megabytes from nginx reach curl byte for byte", async () => {
  const path = join(folder, "got.bin");
  await curl("--output", path, await url("/big.bin"));
  const hash = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
  assert.equal(hash(await readFile(path)), hash(bigFile));
});

test("HEAD, ranges and conditional requests keep nginx's answers", async () => {
  const head = await curl("--head", await url("/big.bin"));
  assert.match(head, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(head, /content-length: 10485760\r\n/i);
  const range = await curl("--range", "5-9", await url("/index.html"), "--include");
  assert.match(range, /^HTTP\/1\.1 206 /);
  assert.match(range, /\r\n\r\n from$/);
  const etag = /etag: (\S+)\r\n/i.exec(await curl("--head", await url("/index.html")))?.[1] ?? "";
  const same = await curl("--include", "--header", `If-None-Match: ${etag}`, await url("/index.html"));
  assert.match(same, /^HTTP\/1\.1 304 /);
  assert.match(same, /\r\n\r\n$/);
});

test("curl's upload with 100-continue, and with chunks, arrives whole", async () => {
  const body = randomBytes(300_000).toString("hex");
  await writeFile(join(folder, "body.txt"), body);
  for (const flags of [
    ["--header", "Expect: 100-continue"],
    ["--header", "Transfer-Encoding: chunked"],
  ]) {
    const echoed = JSON.parse(
      await curl("--data-binary", `@${join(folder, "body.txt")}`, ...flags, await url("/app")),
    ) as EchoedRequest;
    assert.equal(echoed.method, "POST");
    assert.equal(echoed.body, body);
  }
});

test("one curl with three URLs stays on one connection", async () => {
  const target = await url("/index.html");
  const words = await curl(
    "--write-out",
    "%{num_connects}\n",
    "--output",
    "/dev/null",
    target,
    "--output",
    "/dev/null",
    target,
    "--output",
    "/dev/null",
    target,
  );
  assert.deepEqual(words.trim().split("\n"), ["1", "0", "0"]);
});

test("through haproxy behind, the application sees the request as it was", async () => {
  const echoed = JSON.parse(
    await curl("--header", "X-Twice: a", "--header", "X-Twice: b", await url("/haproxy?x=%2F")),
  ) as EchoedRequest;
  assert.equal(echoed.url, "/haproxy?x=%2F");
  assert.deepEqual(
    echoed.rawHeaders.filter(([name]) => name.toLowerCase() === "x-twice").map(([, value]) => value),
    ["a", "b"],
  );
});

test("counters equal what h2load sent, to the request", async () => {
  const before = await counter("http.plain.downstream_rq_total");
  const { stdout } = await execute("h2load", ["--h1", "-n", "20000", "-c", "32", await url("/index.html")], {
    timeout: 60_000,
  });
  assert.match(stdout, /20000 succeeded, 0 failed, 0 errored/);
  assert.equal((await counter("http.plain.downstream_rq_total")) - before, 20_000);
  const started = await counter("heddle_requests_started_total");
  const stats = (await adminGet(admin, "/stats"))
    .split("\n")
    .filter((line) => line.startsWith("heddle_requests_ended_total."));
  assert.equal(
    stats.reduce((sum, line) => sum + Number(line.split(": ")[1]), 0),
    started,
  );
});

/** What openssl's client says of a handshake and a request. */
async function openssl(...args: string[]): Promise<string> {
  const port = await listenerPort(admin, "secure");
  const child = spawn("openssl", [
    "s_client",
    "-connect",
    `127.0.0.1:${port}`,
    "-CAfile",
    join(folder, "ca.pem"),
    ...args,
  ]);
  let words = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (words += chunk.toString()));
  child.stdin.on("error", () => undefined);
  child.stdin.write("GET /index.html HTTP/1.1\r\nHost: books\r\nConnection: close\r\n\r\n");
  await once(child, "close");
  return words;
}
const clientCertificate = (): string[] => ["-cert", join(folder, "web.pem"), "-key", join(folder, "web.key")];

test("openssl with a certificate of the mesh is served over TLS 1.3 and sees the SPIFFE identity", async () => {
  const words = await openssl(...clientCertificate(), "-tls1_3", "-ign_eof");
  assert.match(words, /Verify return code: 0 \(ok\)/);
  assert.match(words, /New, TLSv1\.3/);
  assert.match(words, /hello from nginx/);
});

test("openssl without a certificate gets no answer", async () => {
  const words = await openssl("-tls1_3", "-ign_eof");
  assert.doesNotMatch(words, /hello from nginx/);
  assert.match(words, /alert/);
});

test("openssl with TLS 1.2 is refused", async () => {
  const words = await openssl(...clientCertificate(), "-tls1_2");
  assert.match(words, /alert protocol version/);
});

test("plaintext to the TLS port gets no answer", async () => {
  const port = await listenerPort(admin, "secure");
  const failed = await curl(`http://127.0.0.1:${port}/index.html`).then(
    () => undefined,
    (error: Error) => error,
  );
  assert.match(failed?.message ?? "", /Empty reply from server|reset by peer/);
});
