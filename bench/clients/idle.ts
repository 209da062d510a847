/**
 * `idle.ts PORT COUNT [CA CERTIFICATE KEY]`: opens that many connections, TLS where it has a certificate, sends one request on each, and
 * holds them. Says "held" to its parent when all were answered; ends with its parent's channel.
 */
import { readFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls, createSecureContext } from "node:tls";

const [port = "", count = "1", ca, certificate, key] = process.argv.slice(2);
const secureContext =
  ca === undefined || certificate === undefined || key === undefined
    ? undefined
    : createSecureContext({ ca: readFileSync(ca), cert: readFileSync(certificate), key: readFileSync(key) });
const target = { host: "127.0.0.1", port: Number(port) };
const held: Socket[] = [];

function open(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket =
      secureContext === undefined
        ? connectTcp(target)
        : connectTls({ ...target, servername: "bench.example", secureContext, checkServerIdentity: () => undefined });
    held.push(socket);
    socket.write("GET / HTTP/1.1\r\nhost: bench.example\r\n\r\n");
    socket.once("data", () => resolve());
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`a connection was closed; ${held.length} had been opened`)));
  });
}

process.on("disconnect", () => process.exit(0));
// The accept queue takes a few hundred at once.
for (let left = Number(count); left > 0; left -= 100)
  await Promise.all(Array.from({ length: Math.min(100, left) }, () => open()));
process.send?.("held");
