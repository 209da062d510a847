/** "at most 8 digits" (gRPC over HTTP/2, "Requests", TimeoutValue). */
const largestValue = 99_999_999;
const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000_001 };

/** Milliseconds of a `grpc-timeout`, what is less than one rounded up; undefined when it is none (Envoy, `Grpc::Common::getGrpcTimeout`). */
export function parseGrpcTimeout(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9]{1,8}[HMSmun]$/.test(text)) return undefined;
  const value = Number(text.slice(0, -1)) * (unitMs[text.at(-1) ?? ""] ?? 0);
  return Math.ceil(Number(value.toFixed(6)));
}

/** The smallest unit that holds it, from milliseconds up, rounded down (Envoy, `Grpc::Common::toGrpcTimeout`). */
export function formatGrpcTimeout(milliseconds: number): string {
  for (const unit of ["m", "S", "M", "H"]) {
    const value = Math.floor(milliseconds / (unitMs[unit] ?? 1));
    if (value <= largestValue) return `${value}${unit}`;
  }
  return `${largestValue}H`;
}
