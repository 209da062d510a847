import type { Clock, Logger } from "@heddle/core";
import type { ServerCredentials } from "./certificate-authority.ts";

export interface CertificateRenewalOptions {
  readonly first: ServerCredentials;
  readonly issue: () => Promise<ServerCredentials>;
  /** Puts a new certificate in force. */
  readonly onRenewed: (credentials: ServerCredentials) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How often the certificate's age is looked at: a timer of hours would stand still while the machine sleeps. */
const checkMs = 60_000;

/**
 * Renews the control plane's own certificate at half of its life, as every other (design §5). What fails is tried again at the next
 * look. Returns what ends it.
 */
export function keepRenewed(options: CertificateRenewalOptions): { close: () => void } {
  const { issue, onRenewed, clock, logger } = options;
  let { certificate } = options.first;
  const renewWhenDue = async (): Promise<void> => {
    if (clock.wallMs() < (certificate.notBeforeMs + certificate.notAfterMs) / 2) return;
    try {
      const renewed = await issue();
      onRenewed(renewed);
      certificate = renewed.certificate;
      logger.info("own certificate renewed", { notAfter: new Date(certificate.notAfterMs).toISOString() });
    } catch (error) {
      logger.error("the own certificate could not be renewed", {
        error: error instanceof Error ? error.message : String(error),
      });
    }
  };
  const timer = setInterval(() => void renewWhenDue(), checkMs);
  timer.unref();
  return { close: () => clearInterval(timer) };
}
