import { formatSpiffeId } from "@heddle/core";
import type { JsonObject } from "@bufbuild/protobuf";

const defaultTrustDomain = "cluster.local";

/** The SPIFFE URI of a workload from its node's metadata, under the names that Istio's proxies use. */
export function readNodeIdentity(metadata: JsonObject): string | undefined {
  const namespace = metadata["NAMESPACE"];
  const serviceAccount = metadata["SERVICE_ACCOUNT"];
  const trustDomain = metadata["TRUST_DOMAIN"] ?? defaultTrustDomain;
  if (typeof namespace !== "string" || typeof serviceAccount !== "string" || typeof trustDomain !== "string")
    return undefined;
  return formatSpiffeId(trustDomain, namespace, serviceAccount);
}
