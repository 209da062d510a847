// PROXY protocol with programs that nobody here wrote: curl, haproxy and Envoy send headers, haproxy, nginx and Envoy read them.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { type EchoedRequest, type EchoServer, freePort, startEchoServer } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, listenerFilter, proxyProtocol, route } from "./testing/bootstrap-json.ts";
import { TestProxy } from "./testing/test-proxy.ts";

const execute = promisify(execFile);
/** On Linux the whole of 127/8 is this machine: a client that no peer would take for itself. */
const clientAddress = "127.9.8.7";

let folder: string;
let app: EchoServer;
let proxy: TestProxy;
const children: ChildProcess[] = [];
const ports = new Map<string, number>();

/** Starts a server and waits until its port takes connections. */
async function serve(program: string, args: readonly string[], name: string): Promise<void> {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  children.push(child);
  let words = "";
  child.stderr.on("data", (chunk: Buffer) => (words += chunk.toString()));
  for (;;) {
    assert.equal(child.exitCode, null, `${program} ended: ${words}`);
    const socket = connect(portOf(name), "127.0.0.1");
    const isUp = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    socket.destroy();
    if (isUp) return;
  }
}

function portOf(name: string): number {
  return ports.get(name) ?? proxy.port(name);
}

async function ask(name: string, ...args: string[]): Promise<string> {
  const own = ["--silent", "--show-error", "--max-time", "20", "--interface", clientAddress];
  return (await execute("curl", [...own, ...args, `http://127.0.0.1:${portOf(name)}/`])).stdout;
}

/** Who the application behind our proxy hears that the client is. */
async function heardOf(name: string, ...args: string[]): Promise<string | undefined> {
  const { rawHeaders } = JSON.parse(await ask(name, ...args)) as EchoedRequest;
  return rawHeaders.find(([header]) => header.toLowerCase() === "x-forwarded-for")?.[1];
}

const sender = (version: string): Record<string, unknown> => ({
  transport_socket: {
    name: "proxy",
    typed_config: {
      "@type":
        "type.googleapis.com/envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport",
      config: { version },
      transport_socket: {
        name: "raw",
        typed_config: { "@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer" },
      },
    },
  },
});

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-proxy-peers-"));
  for (const name of ["haproxy-v1", "haproxy-v2", "haproxy-reads", "nginx-reads", "envoy-v2", "envoy-reads"])
    ports.set(name, await freePort());
  app = await startEchoServer();
  const listener = (name: string, clusterName: string) =>
    httpListener({ name, routes: [route("/", clusterName)], manager: { use_remote_address: true } });
  const readers = ["haproxy-reads", "nginx-reads", "envoy-reads"];
  proxy = await TestProxy.start(
    bootstrap(
      [
        { ...listener("reads", "app"), listener_filters: [listenerFilter(proxyProtocol)] },
        ...readers.flatMap((name) =>
          ["V1", "V2"].map((version) => listener(`${version}-to-${name}`, `${version}-${name}`)),
        ),
      ],
      [
        cluster("app", [app.port]),
        ...readers.flatMap((name) =>
          ["V1", "V2"].map((version) => cluster(`${version}-${name}`, [portOf(name)], sender(version))),
        ),
      ],
    ),
  );
  const sendTo = (name: string, how: string): string =>
    `frontend ${name}\n  bind 127.0.0.1:${portOf(name)}\n  default_backend ${name}\nbackend ${name}\n  server us 127.0.0.1:${proxy.port("reads")} ${how}\n`;
  await writeFile(
    join(folder, "haproxy.cfg"),
    `defaults\n  mode http\n  timeout connect 5s\n  timeout client 20s\n  timeout server 20s
${sendTo("haproxy-v1", "send-proxy")}${sendTo("haproxy-v2", "send-proxy-v2 proxy-v2-options unique-id")}
frontend reads\n  bind 127.0.0.1:${portOf("haproxy-reads")} accept-proxy\n  http-request return status 200 content-type text/plain lf-string "%[src]"\n`,
  );
  await writeFile(
    join(folder, "nginx.conf"),
    `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log stderr; ${process.getuid?.() === 0 ? "user root;" : ""}
     events { worker_connections 64; }
     http { access_log off;
       client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
       server { listen 127.0.0.1:${portOf("nginx-reads")} proxy_protocol; return 200 "$proxy_protocol_addr"; } }`,
  );
  const at = (json: Record<string, unknown>, name: string): Record<string, unknown> => ({
    ...json,
    address: { socket_address: { address: "127.0.0.1", port_value: portOf(name) } },
  });
  const said = { inline_string: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%" };
  const answer = { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "?" } } };
  const reading = httpListener({
    name: "envoy-reads",
    routes: [answer],
    manager: { local_reply_config: { body_format: { text_format_source: said } } },
  });
  await writeFile(
    join(folder, "envoy.json"),
    JSON.stringify(
      bootstrap(
        [
          at(httpListener({ name: "envoy-v2", routes: [route("/", "us")] }), "envoy-v2"),
          at({ ...reading, listener_filters: [listenerFilter(proxyProtocol)] }, "envoy-reads"),
        ],
        [cluster("us", [proxy.port("reads")], sender("V2"))],
      ),
    ),
  );
  await serve("haproxy", ["-db", "-f", join(folder, "haproxy.cfg")], "haproxy-v1");
  await serve("nginx", ["-c", join(folder, "nginx.conf"), "-e", "stderr"], "nginx-reads");
  await serve(
    "envoy",
    ["-c", join(folder, "envoy.json"), "--concurrency", "1", "--use-dynamic-base-id", "-l", "error"],
    "envoy-v2",
  );
});

after(async () => {
  for (const child of children) {
    // nginx's master ends its workers when it is asked, not when it is killed.
    child.kill("SIGTERM");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }
  await proxy?.[Symbol.asyncDispose]();
  await app?.close();
  await rm(folder, { recursive: true, force: true });
});

test("curl's header is read", async () => {
  assert.equal(await heardOf("reads", "--haproxy-protocol"), clientAddress);
});

for (const name of ["haproxy-v1", "haproxy-v2", "envoy-v2"]) {
  test(`the application hears of the client through the header of ${name}`, async () => {
    assert.match((await heardOf(name)) ?? "", new RegExp(`(^|,)${clientAddress.replaceAll(".", "\\.")}$`));
  });
}

for (const name of ["haproxy-reads", "nginx-reads", "envoy-reads"]) {
  for (const version of ["V1", "V2"]) {
    test(`${name} reads our header of version ${version}`, async () => {
      assert.equal((await ask(`${version}-to-${name}`)).trim(), clientAddress);
    });
  }
}
