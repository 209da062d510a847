import { grpcStatusNames, grpcStatusOfHttp } from "@heddle/core";
import type { HeaderLookup } from "./access-log/record.ts";

/** As Abseil writes them, which Envoy prints for `SNAKE_STRING`: `OK`, `CANCELLED`, `DEADLINE_EXCEEDED`. */
const snakeNames = grpcStatusNames.map((name) =>
  name === "OK" ? name : name === "Canceled" ? "CANCELLED" : name.replaceAll(/(?<!^)[A-Z]/g, "_$&").toUpperCase(),
);

export type GrpcStatusFormat = "CAMEL_STRING" | "SNAKE_STRING" | "NUMBER";

/** A status as Envoy's formats print it; numbers without a name stay numbers. */
export function formatGrpcStatus(status: number, format: GrpcStatusFormat): string | number {
  if (format === "NUMBER") return status;
  return (format === "CAMEL_STRING" ? grpcStatusNames : snakeNames)[status] ?? status;
}

/**
 * The status of a gRPC call: of its trailers, else of its head (a trailers-only answer), else what its HTTP status means (Envoy,
 * `Grpc::Common::getGrpcStatus`). -1: there was no answer.
 */
export function grpcStatusOf(head: HeaderLookup, trailers: HeaderLookup | undefined, httpStatus: number): number {
  const text = trailers?.get("grpc-status") ?? head.get("grpc-status");
  if (text !== undefined && /^[0-9]{1,9}$/.test(text)) return Number(text);
  if (text !== undefined) return 2;
  return httpStatus === 0 ? -1 : grpcStatusOfHttp(httpStatus);
}
