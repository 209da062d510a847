// Filters and logs as the compiler puts them into a mesh, for tests that watch what is counted and logged.

type Json = Record<string, unknown>;

const heddle = "type.googleapis.com/heddle.v1";

/** The filter that tells peers who this proxy's workload is: `<name>-v1` in the namespace `shop`. */
export function peerMetadata(name: string, direction: "INBOUND" | "OUTBOUND", principal: string): Json {
  const local = {
    workload: `${name}-v1`,
    namespace: "shop",
    canonical_service: name,
    canonical_revision: "v1",
    app: name,
    version: "v1",
    cluster: "Kubernetes",
    principal,
  };
  return {
    name: "peer",
    typed_config: { "@type": `${heddle}.PeerMetadata`, direction: `DIRECTION_${direction}`, local },
  };
}

/** The filter that counts Istio's standard metrics. */
export function standardMetrics(reporter: "SOURCE" | "DESTINATION"): Json {
  return { name: "metrics", typed_config: { "@type": `${heddle}.StandardMetrics`, reporter: `REPORTER_${reporter}` } };
}

/** Fields of a connection manager that writes one line for each request. */
export function accessLog(path: string, format: string): Json {
  return {
    access_log: [
      {
        name: "file",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
          path,
          log_format: { text_format_source: { inline_string: `${format}\n` } },
        },
      },
    ],
  };
}
