import { request } from "node:http";
import type {
  JoinTokenCreateRequest,
  JoinTokenCreateResponse,
  ProxiesResponse,
  ReadyResponse,
  ResourcesResponse,
  TrustBundleResponse,
} from "@heddle/control-plane/admin-api";

/** Nobody answered; the message names the address and the reason. */
export class AdminUnreachable extends Error {}

/** The control plane, or whoever else is at its address, answered that it will not; the message holds its reason. */
export class AdminRefused extends Error {}

/** Calls the admin API of a running control plane. */
export class AdminClient {
  readonly #address: string;
  readonly #token: string;

  constructor(address: string, token: string) {
    this.#address = address;
    this.#token = token;
  }

  ready(): Promise<ReadyResponse> {
    return this.#call<ReadyResponse>("GET", "/api/v1/ready");
  }

  proxies(): Promise<ProxiesResponse> {
    return this.#call<ProxiesResponse>("GET", "/api/v1/proxies");
  }

  resources(): Promise<ResourcesResponse> {
    return this.#call<ResourcesResponse>("GET", "/api/v1/resources");
  }

  trustBundle(): Promise<TrustBundleResponse> {
    return this.#call<TrustBundleResponse>("GET", "/api/v1/trust-bundle");
  }

  createJoinToken(wanted: JoinTokenCreateRequest): Promise<JoinTokenCreateResponse> {
    return this.#call<JoinTokenCreateResponse>("POST", "/api/v1/join-tokens", wanted);
  }

  async #call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const { status, text } = await httpCall(this.#address, method, path, {
      headers: { authorization: `Bearer ${this.#token}`, "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (status >= 200 && status <= 299) return this.#parse(text) as T;
    throw new AdminRefused(
      `the control plane at ${this.#address} answered ${status} to ${method} ${path}: ${text.trim()}`,
    );
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch {
      // Nothing of the text: it is another program's.
      throw new AdminRefused(`the answer of ${this.#address} is not JSON`);
    }
  }
}

/** One HTTP exchange with a loopback address, on a connection of its own. */
export function httpCall(
  address: string,
  method: string,
  path: string,
  options: { headers?: Record<string, string>; body?: string | undefined; timeoutMs?: number } = {},
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `http://${address}${path}`,
      { method, headers: options.headers ?? {}, agent: false, timeout: options.timeoutMs ?? 10_000 },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }),
        );
        response.on("error", reject);
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error("no answer in time")));
    outgoing.on("error", (error) => reject(new AdminUnreachable(`${address} is not reachable: ${error.message}`)));
    outgoing.end(options.body);
  });
}
