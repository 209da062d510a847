// istio.md 4.7: what a port's protocol means, in the names that a LocalMesh takes from Istio.
import assert from "node:assert/strict";
import { test } from "node:test";
import { carriedProtocols, type WorkloadProtocol } from "@heddle/api";
import { clientTlsOf, httpOptionsOf, reviewsHost, serverTlsOf, TestMesh } from "../testing/test-mesh.ts";

const cluster = `outbound|9080||${reviewsHost}`;

function meshOf(protocol: WorkloadProtocol, dialect: "envoy" | "heddle"): TestMesh {
  return new TestMesh("", {
    dialect,
    change: (instance) =>
      instance.service === "reviews" ? { ...instance, protocol: carriedProtocols[protocol] } : instance,
  });
}

function upstreamVersion(mesh: TestMesh, instance: string, name: string): string | undefined {
  const options = httpOptionsOf(mesh.cluster(instance, name))?.upstreamProtocolOptions;
  return options?.case === "explicitHttpConfig" ? options.value.protocolConfig.case : options?.case;
}

test("4.7 http2 and grpc ports are asked by HTTP/2, by their callers' proxies and of their applications", () => {
  for (const protocol of ["http2", "grpc"] as const) {
    for (const dialect of ["envoy", "heddle"] as const) {
      const mesh = meshOf(protocol, dialect);
      assert.equal(upstreamVersion(mesh, "web-0", cluster), "http2ProtocolOptions");
      assert.equal(upstreamVersion(mesh, "reviews-v1-0", "inbound|9080||"), "http2ProtocolOptions");
      const socket = mesh
        .cluster("web-0", cluster)
        .transportSocketMatches.find(({ name }) => name === "tlsMode-istio")?.transportSocket;
      assert.deepEqual(clientTlsOf(socket)?.commonTlsContext?.alpnProtocols, [
        "h2",
        "istio-h2",
        "istio-peer-exchange",
        "istio",
      ]);
      const [chain] = mesh.inbound("reviews-v1-0").filterChains;
      // The server's first choice: a proxy goes by that name when it is to read HTTP/2.
      assert.equal(serverTlsOf(chain?.transportSocket)?.commonTlsContext?.alpnProtocols[0], "h2");
      assert.equal(chain?.filters.at(-1)?.name, "envoy.filters.network.http_connection_manager");
    }
  }
});

test("4.7 an http port's application is asked by HTTP/1.1, and so is its proxy", () => {
  for (const dialect of ["envoy", "heddle"] as const) {
    const mesh = meshOf("http", dialect);
    assert.equal(upstreamVersion(mesh, "web-0", cluster), "httpProtocolOptions");
    assert.equal(upstreamVersion(mesh, "reviews-v1-0", "inbound|9080||"), "httpProtocolOptions");
  }
});

test("4.7 https and tls are bytes to the mesh, as tcp is", () => {
  for (const protocol of ["https", "tls", "tcp"] as const) {
    const mesh = meshOf(protocol, "heddle");
    const [chain] = mesh.inbound("reviews-v1-0").filterChains;
    assert.equal(chain?.filters.at(-1)?.name, "envoy.filters.network.tcp_proxy");
    const { routes } = mesh.resources("web-0");
    assert.equal(
      routes.some(({ name }) => name.endsWith(reviewsHost)),
      false,
    );
    assert.equal(httpOptionsOf(mesh.cluster("web-0", cluster)), undefined);
  }
});
