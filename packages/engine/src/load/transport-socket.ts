import {
  ProxyProtocolConfig_Version,
  type ProxyProtocolUpstreamTransport,
  type TransportSocket,
} from "@heddle/xds/api";
import type { ClusterConfig, UpstreamProxyProtocolConfig } from "../config/cluster.ts";
import { loadPassedTlvs } from "./listener-filters.ts";
import type { Loading, Path } from "./loading.ts";
import { loadUpstreamTls } from "./tls.ts";

const proxyProtocolType = "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport";

/** What endpoints are connected by: TLS or none, behind a PROXY protocol header or none. */
export function loadTransportSocket(
  socket: TransportSocket | undefined,
  at: Path,
  owner: string,
  loading: Loading,
): Pick<ClusterConfig["transport"], "default" | "proxyProtocol"> {
  if (socket === undefined || !isProxyProtocol(socket))
    return { default: loadUpstreamTls(socket, at, owner, loading), proxyProtocol: undefined };
  const where = at.field("typed_config");
  const message = loading.unpack(socket.configType.value, where) as ProxyProtocolUpstreamTransport | undefined;
  if (message !== undefined && message.transportSocket === undefined)
    loading.problem(where.field("transport_socket"), "it is missing", "give the socket below, a raw buffer or TLS");
  return {
    default: loadUpstreamTls(message?.transportSocket, where.field("transport_socket"), owner, loading),
    proxyProtocol: message === undefined ? undefined : loadProxyProtocol(message, where.field("config"), loading),
  };
}

/** Whether connections begin with a header that tells of one client. */
export function isProxyProtocol(socket: TransportSocket | undefined): boolean {
  return socket?.configType.value?.typeUrl.endsWith(`/${proxyProtocolType}`) === true;
}

/** An absent `config` is version 1, as in Envoy. */
function loadProxyProtocol(
  { config }: ProxyProtocolUpstreamTransport,
  at: Path,
  loading: Loading,
): UpstreamProxyProtocolConfig {
  return {
    version: config?.version === ProxyProtocolConfig_Version.V2 ? 2 : 1,
    passedTlvs: loadPassedTlvs(config?.passThroughTlvs, at.field("pass_through_tlvs"), loading),
  };
}
