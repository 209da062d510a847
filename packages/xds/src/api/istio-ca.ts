// Istio's certificate signing service, spoken between proxies and the certificate authority.
export * from "../gen/istio/v1/auth/istio_ca_pb.ts";
