import { connect as connectPlain } from "node:net";
import { connect as connectTls } from "node:tls";
import type { SecureVersion } from "node:tls";
import type { WorkloadInstance } from "@heddle/compiler";

const limitMs = 5000;
const question = "GET /whoami HTTP/1.1\r\nhost: probe\r\nconnection: close\r\n\r\n";

/** What a server showed to a client that has no certificate, and what it let him have. */
export interface TlsProbe {
  /** `TLSv1.3`; empty when there was no handshake. */
  readonly protocol: string;
  /** URI SANs of the server's certificate, which chains to the given root. */
  readonly uris: readonly string[];
  readonly serialNumber: string;
  /** What came back to an HTTP request; empty when nothing did. */
  readonly answer: string;
  /** How the connection ended, when not in peace. */
  readonly error: string;
}

/** Where a workload's proxy takes traffic for it. */
export type Door = Pick<WorkloadInstance, "address" | "inboundPort">;

/** A TLS client without a certificate asks for something. */
export function probeTls(at: Door, rootPem: string, maxVersion: SecureVersion = "TLSv1.3"): Promise<TlsProbe> {
  return new Promise((resolve) => {
    let seen = { protocol: "", uris: [] as string[], serialNumber: "" };
    let answer = "";
    let problem = "";
    const socket = connectTls({
      host: at.address,
      port: at.inboundPort,
      ca: rootPem,
      // The last is what carriers speak.
      ALPNProtocols: ["istio-http/1.1", "http/1.1", "h2"],
      minVersion: "TLSv1.2",
      maxVersion,
      // Workloads are named by URI, not by host; the caller compares.
      checkServerIdentity: () => undefined,
    });
    socket.setTimeout(limitMs, () => socket.destroy(new Error("no answer in time")));
    socket.on("secureConnect", () => {
      const certificate = socket.getPeerCertificate();
      const names = (certificate.subjectaltname ?? "").split(", ");
      seen = {
        protocol: socket.getProtocol() ?? "",
        uris: names.filter((name) => name.startsWith("URI:")).map((name) => name.slice("URI:".length)),
        serialNumber: certificate.serialNumber,
      };
      socket.write(question);
    });
    socket.on("data", (bytes: Buffer) => (answer += bytes.toString("latin1")));
    socket.on("error", (error) => (problem = error.message));
    socket.on("close", () => resolve({ ...seen, answer, error: problem }));
  });
}

/** What a server answers to a request without TLS; empty when it only closes. */
export function probePlaintext({ address, inboundPort }: Door): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connectPlain({ host: address, port: inboundPort });
    socket.setTimeout(limitMs, () => socket.destroy());
    socket.on("connect", () => socket.write(question));
    socket.on("data", (bytes: Buffer) => (answer += bytes.toString("latin1")));
    // A reset is a refusal, too; "close" follows.
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(answer));
  });
}
