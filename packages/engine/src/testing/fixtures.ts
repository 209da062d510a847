// Objects that tests of this package build on; not exported from the package.
import type { ConnectionView, PeerView } from "../bind/connection.ts";
import type { MutableHeaders } from "../bind/headers.ts";

/** The simplest header list: what `HeaderList` of @heddle/http promises, on an array. */
export class PlainHeaders implements MutableHeaders {
  #entries: [string, string][];

  constructor(entries: Iterable<readonly [string, string]> = []) {
    this.#entries = Array.from(entries, ([name, value]) => [name.toLowerCase(), value]);
  }

  get length(): number {
    return this.#entries.length;
  }

  nameAt(index: number): string {
    return this.#entries[index]?.[0] ?? "";
  }

  valueAt(index: number): string {
    return this.#entries[index]?.[1] ?? "";
  }

  get(name: string): string | undefined {
    const values = this.getAll(name);
    return values.length === 0 ? undefined : values.join(name === "cookie" ? "; " : ",");
  }

  getAll(name: string): string[] {
    return this.#entries.filter(([own]) => own === name).map(([, value]) => value);
  }

  has(name: string): boolean {
    return this.#entries.some(([own]) => own === name);
  }

  set(name: string, value: string): void {
    this.remove(name);
    this.#entries.push([name, value]);
  }

  append(name: string, value: string): void {
    this.#entries.push([name, value]);
  }

  remove(name: string): boolean {
    const before = this.#entries.length;
    this.#entries = this.#entries.filter(([own]) => own !== name);
    return this.#entries.length !== before;
  }

  removePrefix(prefix: string): void {
    this.#entries = this.#entries.filter(([own]) => !own.startsWith(prefix));
  }

  toJSON(): [string, string][] {
    return this.#entries;
  }
}

export interface RequestParts {
  readonly upgrade?: string;
  method?: string;
  path?: string;
  authority?: string;
  scheme?: string;
  headers?: Readonly<Record<string, string>>;
}

export function requestView(parts: RequestParts = {}): {
  method: string;
  path: string;
  authority: string;
  scheme: string;
  headers: PlainHeaders;
} {
  return {
    method: parts.method ?? "GET",
    path: parts.path ?? "/",
    authority: parts.authority ?? "example.com",
    scheme: parts.scheme ?? "http",
    headers: new PlainHeaders(Object.entries(parts.headers ?? {})),
  };
}

export function peerView(principal: string, parts: Partial<PeerView> = {}): PeerView {
  const [, trustDomain = "", namespace = "", serviceAccount = ""] =
    /^spiffe:\/\/([^/]+)\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(principal) ?? [];
  return {
    principal,
    uriSans: principal === "" ? [] : [principal],
    dnsSans: [],
    subject: "",
    trustDomain,
    namespace,
    serviceAccount,
    sha256: "0a".repeat(32),
    certificatePem: "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n",
    chainPem: "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n",
    ...parts,
  };
}

export function connectionView(parts: Partial<ConnectionView> = {}): ConnectionView {
  const remoteAddress = parts.remoteAddress ?? { host: "10.0.0.1", port: 50000 };
  return {
    peer: undefined,
    localPrincipal: "",
    remoteAddress,
    directRemoteAddress: remoteAddress,
    localAddress: { host: "10.0.0.2", port: 8080 },
    isTls: false,
    sni: "",
    applicationProtocols: [],
    transportProtocol: "raw_buffer",
    isDestinationRestored: false,
    proxyTlvs: [],
    ...parts,
  };
}
