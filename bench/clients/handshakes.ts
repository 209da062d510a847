/**
 * `handshakes.ts PORT SECONDS CA CERTIFICATE KEY resume|full`: new mutual TLS connections, four at a time, each with one request, since in
 * TLS 1.3 only an answer shows that the server has taken the client's certificate. Prints count and seconds as JSON.
 */
import { readFileSync } from "node:fs";
import { connect } from "node:tls";

const [port = "", seconds = "1", ca = "", certificate = "", key = "", mode = "full"] = process.argv.slice(2);
const credentials = { ca: readFileSync(ca), cert: readFileSync(certificate), key: readFileSync(key) };
const isResuming = mode === "resume";
const request = "GET / HTTP/1.1\r\nhost: bench.example\r\nconnection: close\r\n\r\n";
let count = 0;
let resumed = 0;
let errors = 0;

/** One connection to its end; resolves with the session that the next may resume. */
function once(session: Buffer | undefined): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    let next = session;
    let isAnswered = false;
    const socket = connect({
      host: "127.0.0.1",
      port: Number(port),
      ...credentials,
      servername: "bench.example",
      minVersion: "TLSv1.3",
      ...(session === undefined ? {} : { session }),
    });
    socket.on("session", (ticket) => {
      if (isResuming) next = ticket;
    });
    socket.on("secureConnect", () => {
      if (socket.isSessionReused()) resumed++;
      socket.write(request);
    });
    socket.on("data", (chunk: Buffer) => {
      isAnswered ||= chunk.includes("200 OK");
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      if (isAnswered) count++;
      else errors++;
      resolve(next);
    });
  });
}

const startedAt = performance.now();
const endAt = startedAt + Number(seconds) * 1000;
async function loop(): Promise<void> {
  let session: Buffer | undefined;
  while (performance.now() < endAt && errors < 10) session = await once(session);
}
await Promise.all([loop(), loop(), loop(), loop()]);
if (isResuming && resumed < count / 2) {
  process.stderr.write(`only ${resumed} of ${count} sessions were resumed\n`);
  process.exitCode = 1;
}
const elapsed = (performance.now() - startedAt) / 1000;
process.stdout.write(`${JSON.stringify({ count, seconds: elapsed, errors })}\n`);
