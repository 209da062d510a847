/** The applications behind every proxy, in one process: only one of them has work at a time. Sends its ports to the parent. */
import type { AddressInfo, Server } from "node:net";
import { grpcServer } from "./grpc.ts";
import { http1Server } from "./http1.ts";

/** Where each application listens on 127.0.0.1. */
export interface BackendPorts {
  readonly http1: number;
  /** gRPC with prior knowledge. */
  readonly grpc: number;
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

const ports: BackendPorts = {
  http1: await listen(http1Server()),
  grpc: await listen(grpcServer()),
};
process.on("disconnect", () => process.exit(0));
process.send?.(ports);
