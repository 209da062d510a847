import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@heddle/testkit";

/** A server that nobody here wrote, which answers everything with 200 and logs each request as it read it. */
export interface RealServer extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  /** Lines of "status METHOD target" (dashes or the like for what could not be read), complete up to the last request that was answered before the call. */
  log(): Promise<readonly string[]>;
}

const patienceMs = 15_000;

/** Settings are the most lenient that each has: what a strict server refuses, it would not misread. */
export function startRealServers(): Promise<RealServer[]> {
  return Promise.all([startNginx(), startApache(), startHaproxy(), startNode()]);
}

async function startNode(): Promise<RealServer> {
  const lines: string[] = [];
  const server: Server = createServer(
    { insecureHTTPParser: true, keepAlive: true, requireHostHeader: false },
    (request, response) => {
      lines.push(`200 ${request.method} ${request.url}`);
      request.resume();
      response.end("ok");
    },
  );
  server.on("clientError", ({ code }: NodeJS.ErrnoException, socket) => {
    // The connection ended within a request: nothing was read that nobody sent.
    if (code !== "HPE_INVALID_EOF_STATE" && code !== "ECONNRESET") lines.push("400 - -");
    socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  });
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    name: "node",
    port: (server.address() as AddressInfo).port,
    log: () => Promise.resolve(lines),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function startNginx(): Promise<RealServer> {
  const port = await freePort();
  return run("nginx", port, (folder) => ({
    config: `
daemon off;
master_process off;
pid ${folder}/pid;
error_log ${folder}/error.log;
events { worker_connections 4096; }
http {
  log_format seen '$status $request_method $request_uri';
  access_log ${folder}/access.log seen;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  keepalive_requests 1000000;
  ignore_invalid_headers off;
  underscores_in_headers on;
  merge_slashes off;
  server {
    listen 127.0.0.1:${port};
    location / { return 200 ok; }
  }
}`,
    command: ["nginx", "-c", `${folder}/config`, "-e", `${folder}/error.log`],
  }));
}

async function startApache(): Promise<RealServer> {
  const port = await freePort();
  const modules = "/usr/lib/apache2/modules";
  return run("apache2", port, (folder) => ({
    config: `
LoadModule mpm_event_module ${modules}/mod_mpm_event.so
LoadModule authz_core_module ${modules}/mod_authz_core.so
LoadModule rewrite_module ${modules}/mod_rewrite.so
Listen 127.0.0.1:${port}
ServerName localhost
PidFile ${folder}/pid
DefaultRuntimeDir ${folder}
Mutex posixsem
ErrorLog ${folder}/error.log
LogFormat "%>s %r" seen
CustomLog ${folder}/access.log seen
DocumentRoot ${folder}
HttpProtocolOptions Unsafe LenientMethods Allow0.9
MaxKeepAliveRequests 0
KeepAliveTimeout 60
AllowEncodedSlashes NoDecode
RewriteEngine on
RewriteRule .* - [R=200,L]
`,
    command: ["apache2", "-X", "-f", `${folder}/config`],
  }));
}

async function startHaproxy(): Promise<RealServer> {
  const port = await freePort();
  return run("haproxy", port, (folder) => ({
    config: `
global
  log stdout format raw local0
  maxconn 4000
defaults
  mode http
  log global
  option accept-invalid-http-request
  timeout client 60s
  timeout http-keep-alive 60s
frontend all
  bind 127.0.0.1:${port}
  log-format "%ST %HM %HU %ts"
  http-request return status 200 content-type text/plain string ok
`,
    command: ["haproxy", "-db", "-f", `${folder}/config`],
  }));
}

async function run(
  name: string,
  port: number,
  prepare: (folder: string) => { readonly config: string; readonly command: readonly string[] },
): Promise<RealServer> {
  const folder = await mkdtemp(join(tmpdir(), `heddle-${name}-`));
  const { config, command } = prepare(folder);
  await writeFile(join(folder, "config"), config);
  const access = join(folder, "access.log");
  const [program = name, ...args] = command;
  // haproxy has its log on its standard output.
  const output = openSync(name === "haproxy" ? access : join(folder, "output.log"), "a");
  const child = spawn(program, args, { stdio: ["ignore", output, output] });
  closeSync(output);
  const isEnded = once(child, "exit");
  try {
    await listening(child, port);
  } catch (error) {
    const said = await Promise.all(
      ["output.log", "error.log"].map((file) => readFile(join(folder, file), "utf8").catch(() => "")),
    );
    throw new Error(`${name} does not start: ${said.join("\n")}`, { cause: error });
  }
  return {
    name,
    port,
    log: () => completeLog(port, access),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await isEnded;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Asks until somebody answers. */
async function listening(child: ChildProcess, port: number): Promise<void> {
  const giveUpAt = performance.now() + patienceMs;
  while (!(await ask(port, "/start"))) {
    if (child.exitCode !== null || performance.now() > giveUpAt) throw new Error(`exit code ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

let marks = 0;

/** haproxy tells how a session ended: C within a request is a client that went away (its manual, 8.5). */
const isUnfinished = (line: string): boolean => / C.$/.test(line);

/** A request of our own ends the log: lines are written in order, and a moment late. */
async function completeLog(port: number, path: string): Promise<readonly string[]> {
  const mark = `/end-of-log-${(marks += 1)}`;
  await ask(port, mark);
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    const text = await readFile(path, "utf8").catch(() => "");
    const lines = text.split("\n").filter((line) => /^\d{3} /.test(line));
    if (lines.some((line) => line.includes(mark)))
      return lines
        .filter((line) => !/\/end-of-log-|\/start/.test(line) && !isUnfinished(line))
        .map((line) => line.replace(/ (HTTP\/\d\.\d|[A-Z-]{2})$/, ""));
    if (performance.now() > giveUpAt) throw new Error(`no ${mark} in ${path}:\n${text.slice(-2000)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Whether an answer came. */
function ask(port: number, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () =>
      socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`),
    );
    let answer = "";
    socket.on("data", (bytes: Buffer) => (answer += bytes.toString("latin1")));
    socket.on("error", () => resolve(false));
    socket.on("close", () => resolve(answer.startsWith("HTTP/1.1 200")));
  });
}
