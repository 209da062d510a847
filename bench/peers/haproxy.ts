import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "@heddle/testkit";
import type { Peer, RunningPeer, Site, Topology } from "../peer.ts";
import { backendPort, hasTwoHops, launch } from "../peer.ts";
import { findProgram } from "../../scripts/find-program.ts";

const run = promisify(execFile);

function config(mode: "http" | "tcp", bind: string, server: string): string {
  const rules =
    mode === "http"
      ? `  acl canary req.hdr(x-canary) -m str yes
  acl api path_beg /api/
  option forwardfor
  unique-id-format %[uuid()]
  unique-id-header x-request-id
  use_backend backend if canary
  use_backend backend if api`
      : "";
  return `global
  nbthread 1
  maxconn 4000
defaults
  mode ${mode}
  timeout connect 5s
  timeout client 3600s
  timeout server 3600s
  ${mode === "http" ? "http-reuse always" : ""}
frontend in
  bind ${bind}
${rules}
  default_backend backend
backend backend
  server only ${server}
`;
}

async function start(mode: "http" | "tcp", topology: Topology, site: Site): Promise<RunningPeer> {
  const program = findProgram("haproxy") ?? "haproxy";
  const outer = await freePort();
  const write = async (name: string, text: string): Promise<readonly [string, readonly string[]]> => {
    const path = join(site.folder, `${name}-${outer}.cfg`);
    await writeFile(path, text);
    return [program, ["-db", "-f", path]];
  };
  const backend = `127.0.0.1:${backendPort(topology, site)}`;
  if (!hasTwoHops(topology))
    return launch([await write(`haproxy-${mode}`, config(mode, `127.0.0.1:${outer}`, backend))], outer);
  const inner = await freePort();
  const pem = join(site.folder, `haproxy-${outer}.pem`);
  await writeFile(pem, (await readFile(site.tls.certificate, "utf8")) + (await readFile(site.tls.key, "utf8")), {
    mode: 0o600,
  });
  const bind = `127.0.0.1:${inner} ssl crt ${pem} ca-file ${site.tls.ca} verify required ssl-min-ver TLSv1.3`;
  const server = `127.0.0.1:${inner} ssl crt ${pem} ca-file ${site.tls.ca} verify required sni str(bench.example) ssl-min-ver TLSv1.3`;
  return launch(
    [
      await write("haproxy-inner", config("http", bind, backend)),
      await write("haproxy-outer", config("http", `127.0.0.1:${outer}`, server)),
    ],
    outer,
  );
}

async function probe(): Promise<{ version: string } | { missing: string }> {
  const program = findProgram("haproxy");
  if (program === undefined) return { missing: "not on the PATH (Debian package haproxy)" };
  const { stdout } = await run(program, ["-v"]);
  return { version: /version (\S+)/.exec(stdout)?.[1] ?? stdout.trim() };
}

export const haproxy: Peer = {
  name: "haproxy",
  topologies: ["one-hop", "two-hops"],
  probe,
  start: (topology, site) => start("http", topology, site),
};

/** The floor: bytes copied from socket to socket. */
export const haproxyTcp: Peer = {
  name: "haproxy-tcp",
  topologies: ["one-hop", "tcp"],
  probe,
  start: (topology, site) => start("tcp", topology, site),
};
