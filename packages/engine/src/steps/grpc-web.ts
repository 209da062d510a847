import { grpcStatusOfHttp } from "@heddle/core";
import type { MutableHeaders } from "../bind/headers.ts";
import type { RequestRecord } from "./request-record.ts";

/** Content types that Envoy's filter translates; others of gRPC-Web (`+json`) are not, there and here. */
const contentTypes: Readonly<Record<string, "binary" | "text">> = {
  "application/grpc-web": "binary",
  "application/grpc-web+proto": "binary",
  "application/grpc-web-text": "text",
  "application/grpc-web-text+proto": "text",
};

/**
 * A gRPC-Web request becomes a gRPC request (Envoy, `GrpcWebFilter::decodeHeaders`): its answer is text where `accept` says so. From here on it is one
 * for retries, deadlines, logs and metrics, too.
 */
export function beginGrpcWeb(req: RequestRecord): void {
  // What is switched to another protocol has no messages.
  if (req.upgrade !== "") return;
  const { headers } = req;
  const form = contentTypes[headers.get("content-type") ?? ""];
  if (form === undefined) return;
  req.isGrpc = true;
  req.grpcWebRequest = form;
  req.grpcWebResponse = contentTypes[headers.get("accept") ?? ""] === "text" ? "text" : "binary";
  // It counted the bytes of another form.
  headers.remove("content-length");
  headers.set("content-type", "application/grpc");
  headers.set("te", "trailers");
  if (!headers.has("grpc-accept-encoding")) headers.set("grpc-accept-encoding", "identity");
}

export function grpcWebContentType(form: "binary" | "text"): string {
  return form === "text" ? "application/grpc-web-text+proto" : "application/grpc-web+proto";
}

/**
 * The head of an upstream's answer, made ready for a gRPC-Web caller (Envoy, `GrpcWebFilter::encodeHeaders`). False: it is not gRPC's, so its body is to
 * become the message of an error.
 */
export function finishGrpcWebHead(
  req: RequestRecord,
  status: number,
  headers: MutableHeaders,
  isEnd: boolean,
): boolean {
  const type = headers.get("content-type") ?? "";
  const isGrpc =
    status === 200 &&
    (isEnd
      ? headers.has("grpc-status")
      : /^application\/grpc(?:$|[+;])/.test(type) || /^application\/grpc-web(?:\+proto)? *(?:$|;)/i.test(type));
  headers.remove("content-length");
  headers.set("content-type", grpcWebContentType(req.grpcWebResponse === "text" ? "text" : "binary"));
  return isGrpc;
}

/** An answer that was not gRPC's, as an error of gRPC: what it said is the message. */
export function finishGrpcWebError(status: number, headers: MutableHeaders, message: string): void {
  headers.set("grpc-status", String(grpcStatusOfHttp(status)));
  headers.set("grpc-message", encodeGrpcMessage(message));
}

/** Percent-encoding of grpc-message (gRPC over HTTP/2, "Responses"). */
export function encodeGrpcMessage(text: string): string {
  let out = "";
  for (const byte of new TextEncoder().encode(text)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    out += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return out;
}
