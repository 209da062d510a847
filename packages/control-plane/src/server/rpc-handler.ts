import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { ConnectRouter, ContextValues, Interceptor } from "@connectrpc/connect";
import { createConnectRouter, createContextValues } from "@connectrpc/connect";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { Logger } from "@heddle/core";

export interface RpcHandlerOptions {
  readonly routes: (router: ConnectRouter) => void;
  readonly interceptors: readonly Interceptor[];
  /** Called for each request: puts what is known of the caller where the services find it. */
  readonly identify: (request: Http2ServerRequest, values: ContextValues) => void;
  readonly logger: Logger;
}

/**
 * Serves gRPC on an HTTP/2 server. connect-node's own adapter throws into the server's event, and so ends the process, for an
 * `:authority` that is no URL or a stream whose connection is already gone; here that is the request's problem alone.
 */
export function rpcHandler(
  options: RpcHandlerOptions,
): (request: Http2ServerRequest, response: Http2ServerResponse) => void {
  const { routes, identify, logger } = options;
  const router = createConnectRouter({
    connect: false,
    grpcWeb: false,
    acceptCompression: [],
    interceptors: [...options.interceptors],
  });
  routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  async function serve(request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
    const handler = handlers.get(request.url.split("?", 1)[0] ?? "");
    if (handler === undefined) return answer(response, 404);
    if (!URL.canParse(`https://${request.authority}`)) return answer(response, 400);
    const values = createContextValues();
    identify(request, values);
    const call = universalRequestFromNodeRequest(request, response, undefined, values);
    await universalResponseToNodeResponse(await handler(call), response);
  }

  return (request, response) => {
    serve(request, response).catch((error: unknown) => {
      logger.debug("a call ended early", {
        path: request.url,
        error: error instanceof Error ? error.message : String(error),
      });
      if (!response.headersSent && !response.stream.destroyed) answer(response, 500);
      else response.stream.close();
    });
  };
}

function answer(response: Http2ServerResponse, status: number): void {
  response.writeHead(status);
  response.end();
}
