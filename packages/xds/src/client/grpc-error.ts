/** Those that this client gives itself (gRPC, "Status codes and their use in gRPC"). */
export const grpcStatus = { unknown: 2, resourceExhausted: 8, internal: 13, unavailable: 14 } as const;

/** A call that did not end with the status OK. */
export class GrpcError extends Error {
  /** What the server said, or what its answer means. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}
