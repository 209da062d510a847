import type { MethodDefinition } from "@grpc/grpc-js";

const asIs = (bytes: Buffer): Buffer => bytes;

function method(name: string, requestStream: boolean, responseStream: boolean): MethodDefinition<Buffer, Buffer> {
  return {
    path: `/conformance.Peer/${name}`,
    requestStream,
    responseStream,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}

/** The application that every gRPC peer has, whatever it is written in; messages are bytes. */
export const grpcMethods = {
  unary: method("Unary", false, false),
  fail: method("Fail", false, false),
  list: method("List", false, true),
  failLate: method("FailLate", false, true),
  sum: method("Sum", true, false),
  chat: method("Chat", true, true),
  hang: method("Hang", true, true),
};
