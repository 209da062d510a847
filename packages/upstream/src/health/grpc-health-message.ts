/**
 * The two messages of `grpc.health.v1.Health/Check`, of one field each (https://github.com/grpc/grpc/blob/master/doc/health-checking.md):
 * `HealthCheckRequest { string service = 1; }` and `HealthCheckResponse { ServingStatus status = 1; }`.
 */
const frameHeadBytes = 5;
const fieldService = 0x0a;
const fieldStatus = 0x08;

export const serving = 1;

/** A request as a gRPC message. The service's name is at most 16,383 bytes, which two bytes of length hold. */
export function encodeCheckRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const length = name.length < 0x80 ? [name.length] : [(name.length & 0x7f) | 0x80, name.length >> 7];
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([fieldService, ...length]), name]);
  const head = Buffer.alloc(frameHeadBytes);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The status in a gRPC message that holds a response; undefined: it is none. An absent field is 0, UNKNOWN. */
export function decodeCheckResponse(body: Buffer): number | undefined {
  if (body.length < frameHeadBytes || body[0] !== 0 || body.readUInt32BE(1) !== body.length - frameHeadBytes)
    return undefined;
  const message = body.subarray(frameHeadBytes);
  if (message.length === 0) return 0;
  return message.length === 2 && message[0] === fieldStatus ? message[1] : undefined;
}
