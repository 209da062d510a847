import type { Secret } from "@heddle/core";
import type { ValidationConfig } from "./tls.ts";

/**
 * `envoy.extensions.transport_sockets.tls.v3.Secret`, resolved. The only config type that holds key material, hence the
 * only one that is not structured-clonable: use {@link secretToTransfer} towards a worker.
 */
export type SecretConfig =
  | {
      readonly kind: "certificate";
      readonly name: string;
      readonly certificateChainPem: string;
      readonly privateKey: Secret<string>;
    }
  | { readonly kind: "validation"; readonly name: string; readonly validation: ValidationConfig };

/** A {@link SecretConfig} with the key in the clear, for `postMessage` between threads of one process and nothing else. */
export type TransferredSecret =
  | {
      readonly kind: "certificate";
      readonly name: string;
      readonly certificateChainPem: string;
      readonly privateKeyPem: string;
    }
  | { readonly kind: "validation"; readonly name: string; readonly validation: ValidationConfig };

/** The form that survives a structured clone. */
export function secretToTransfer(secret: SecretConfig): TransferredSecret {
  if (secret.kind === "validation") return secret;
  const { kind, name, certificateChainPem, privateKey } = secret;
  return { kind, name, certificateChainPem, privateKeyPem: privateKey.reveal() };
}

/** Inverse of {@link secretToTransfer}; `wrap` makes the redacted holder (`(pem) => new Secret(pem)`). */
export function secretFromTransfer(secret: TransferredSecret, wrap: (pem: string) => Secret<string>): SecretConfig {
  if (secret.kind === "validation") return secret;
  const { kind, name, certificateChainPem, privateKeyPem } = secret;
  return { kind, name, certificateChainPem, privateKey: wrap(privateKeyPem) };
}
