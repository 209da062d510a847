import { ComparisonFilter_Op, FileAccessLogSchema } from "@heddle/xds/api";
import { extension } from "../wire.ts";

/** Istio's default line (istio.md 3.2), which existing log pipelines parse. */
const textFormat = [
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS%',
  '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%"',
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%"',
  '"%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW%',
  "%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME%",
  "%ROUTE_NAME%\n",
].join(" ");

// Like every extension without settings of its own, it is packed once and shared by all messages that hold it.
const accessLog = extension("envoy.access_loggers.file", FileAccessLogSchema, {
  path: "/dev/stdout",
  accessLogFormat: {
    case: "logFormat",
    value: {
      format: { case: "textFormatSource", value: { specifier: { case: "inlineString", value: textFormat } } },
    },
  },
});
const everything = [accessLog];
const refusals = [
  {
    ...accessLog,
    filter: {
      filterSpecifier: {
        case: "statusCodeFilter" as const,
        value: {
          comparison: { op: ComparisonFilter_Op.GE, value: { defaultValue: 400, runtimeKey: "heddle.unused" } },
        },
      },
    },
  },
];

/** One line per request or connection to the proxy's standard output. */
export function compileAccessLog() {
  return everything;
}

/** Lines of refusals alone, for connections whose content is logged by whoever serves it (as Istio logs the CONNECT of HBONE). */
export function compileRefusalLog() {
  return refusals;
}
