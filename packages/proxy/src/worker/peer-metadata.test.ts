import assert from "node:assert/strict";
import { test } from "node:test";
import type { MutableHeaders, PeerMetadata } from "@heddle/engine";
import { encodePeerMetadata, PeerMetadataCodec } from "./peer-metadata.ts";

const local: PeerMetadata = {
  workload: "web-v1",
  namespace: "shop",
  canonicalService: "web",
  canonicalRevision: "v1",
  app: "web",
  version: "v1, really",
  cluster: "Kubernetes",
  principal: "spiffe://cluster.local/ns/shop/sa/web",
};

class Baggage {
  value: string | undefined;
  constructor(value: string | undefined) {
    this.value = value;
  }
  get(): string | undefined {
    return this.value;
  }
  set(_name: string, value: string): void {
    this.value = value;
  }
  remove(): boolean {
    this.value = undefined;
    return true;
  }
}

function headersWith(baggage: string | undefined): MutableHeaders & Baggage {
  return new Baggage(baggage) as unknown as MutableHeaders & Baggage;
}

test("what one proxy announces the other reads, and nothing of it is left", () => {
  const codec = new PeerMetadataCodec();
  const headers = headersWith(undefined);
  codec.announce(headers, encodePeerMetadata(local));
  assert.deepEqual(codec.take(headers), {
    workload: "web-v1",
    namespace: "shop",
    canonicalService: "web",
    canonicalRevision: "v1",
    app: "web",
    version: "v1, really",
    cluster: "Kubernetes",
  });
  assert.equal(headers.value, undefined);
});

test("an application's own baggage passes both proxies as it is", () => {
  const codec = new PeerMetadataCodec();
  const headers = headersWith("user=alice;ttl=3,tenant=a%20b");
  codec.announce(headers, encodePeerMetadata(local));
  codec.take(headers);
  assert.equal(headers.value, "user=alice;ttl=3,tenant=a%20b");
});

test("an application cannot announce itself as another workload", () => {
  const codec = new PeerMetadataCodec();
  const headers = headersWith("k8s.deployment.name=admin,user=alice");
  codec.announce(headers, encodePeerMetadata(local));
  assert.equal(codec.take(headers)?.workload, "web-v1");
});
