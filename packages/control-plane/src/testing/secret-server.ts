import { once } from "node:events";
import { createServer } from "node:http2";
import type { ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import type { ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { type MessageInitShape, packAny, SECRET_TYPE, SecretSchema } from "@heddle/xds/api";
import { SecretDiscoveryService } from "@heddle/xds/api/discovery-service";
import type { TestIdentity } from "./test-workload.ts";

/** SDS beside an Envoy, as an agent would serve it: its certificate as `default`, the anchors as `ROOTCA`. h2c on loopback. */
export class SecretServer implements AsyncDisposable {
  readonly port: number;
  readonly #close: () => Promise<void>;

  private constructor(port: number, close: () => Promise<void>) {
    this.port = port;
    this.#close = close;
  }

  static async start(identity: TestIdentity, rootPem: string): Promise<SecretServer> {
    const secrets: Readonly<Record<string, MessageInitShape<typeof SecretSchema>["type"]>> = {
      default: {
        case: "tlsCertificate",
        value: { certificateChain: inline(identity.chainPem), privateKey: inline(identity.keyPem) },
      },
      ROOTCA: { case: "validationContext", value: { trustedCa: inline(rootPem) } },
    };
    const routes = (router: ConnectRouter): void => {
      router.service(SecretDiscoveryService, {
        async *streamSecrets(requests) {
          let isAnswered = false;
          for await (const { resourceNames } of requests) {
            // What follows the answer is its ACK.
            if (isAnswered) continue;
            isAnswered = true;
            const resources = resourceNames.map((name) => packAny(SecretSchema, { name, type: secrets[name]! }));
            yield { versionInfo: "1", nonce: "1", typeUrl: SECRET_TYPE, resources };
          }
        },
      });
    };
    const sessions = new Set<ServerHttp2Session>();
    const server = createServer(connectNodeAdapter({ routes }));
    server.on("session", (session) => {
      sessions.add(session);
      session.on("error", () => session.destroy());
      session.once("close", () => sessions.delete(session));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const close = async (): Promise<void> => {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, "close");
    };
    return new SecretServer((server.address() as AddressInfo).port, close);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

function inline(text: string) {
  return { specifier: { case: "inlineString" as const, value: text } };
}
