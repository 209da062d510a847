import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "@heddle/testkit";
import type { Peer, RunningPeer, Site, Topology } from "../peer.ts";
import { launch } from "../peer.ts";
import { findProgram } from "../../scripts/find-program.ts";

const run = promisify(execFile);

function config(site: Site, name: string, listen: string, upstream: string, location: string): string {
  return `daemon off;
master_process on;
worker_processes 1;
pid ${site.folder}/${name}.pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${site.folder}/${name}-body;
  proxy_temp_path ${site.folder}/${name}-proxy;
  fastcgi_temp_path ${site.folder}/${name}-fastcgi;
  uwsgi_temp_path ${site.folder}/${name}-uwsgi;
  scgi_temp_path ${site.folder}/${name}-scgi;
  keepalive_requests 1000000000;
  map $http_x_canary $pool { default backend; yes backend; }
  upstream backend { server ${upstream}; keepalive 256; keepalive_requests 1000000000; }
  server {
    ${listen}
    location /api/ { proxy_pass ${location}; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }
    location / { proxy_pass ${location}; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Request-Id $request_id; }
  }
}
`;
}

async function start(topology: Topology, site: Site): Promise<RunningPeer> {
  const program = findProgram("nginx") ?? "nginx";
  const outer = await freePort();
  const { ca, certificate, key } = site.tls;
  const write = async (name: string, text: string): Promise<readonly [string, readonly string[]]> => {
    const path = join(site.folder, `${name}-${outer}.conf`);
    await writeFile(path, text);
    return [program, ["-c", path, "-e", "stderr"]];
  };
  if (topology === "one-hop") {
    const text = config(
      site,
      `nginx-${outer}`,
      `listen 127.0.0.1:${outer};`,
      `127.0.0.1:${site.backends.http1}`,
      "http://$pool",
    );
    return launch([await write("nginx", text)], outer);
  }
  const inner = await freePort();
  const tlsServer = `listen 127.0.0.1:${inner} ssl; ssl_protocols TLSv1.3; ssl_certificate ${certificate}; ssl_certificate_key ${key}; ssl_client_certificate ${ca}; ssl_verify_client on;`;
  const tlsClient = `proxy_ssl_protocols TLSv1.3; proxy_ssl_certificate ${certificate}; proxy_ssl_certificate_key ${key}; proxy_ssl_trusted_certificate ${ca}; proxy_ssl_verify on; proxy_ssl_name bench.example; proxy_ssl_session_reuse on;`;
  return launch(
    [
      await write(
        "nginx-inner",
        config(site, `nginx-inner-${outer}`, tlsServer, `127.0.0.1:${site.backends.http1}`, "http://$pool"),
      ),
      await write(
        "nginx-outer",
        config(
          site,
          `nginx-outer-${outer}`,
          `listen 127.0.0.1:${outer}; ${tlsClient}`,
          `127.0.0.1:${inner}`,
          "https://$pool",
        ),
      ),
    ],
    outer,
  );
}

export const nginx: Peer = {
  name: "nginx",
  topologies: ["one-hop", "two-hops"],
  probe: async () => {
    const program = findProgram("nginx");
    if (program === undefined) return { missing: "not on the PATH (Debian package nginx)" };
    const { stderr } = await run(program, ["-v"]);
    return { version: /nginx\/(\S+)/.exec(stderr)?.[1] ?? stderr.trim() };
  },
  start,
};
