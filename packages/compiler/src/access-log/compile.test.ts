import assert from "node:assert/strict";
import { test } from "node:test";
import { FileAccessLogSchema, unpackAny } from "@heddle/xds/api";
import { compileAccessLog } from "./compile.ts";

test("The access log is Istio's default text on standard output (istio.md 3.2)", () => {
  const [log] = compileAccessLog();
  const config = log && unpackAny(log.configType.value, FileAccessLogSchema);
  assert.equal(config?.path, "/dev/stdout");
  assert.ok(config.accessLogFormat.case === "logFormat");
  const { format } = config.accessLogFormat.value;
  assert.ok(format.case === "textFormatSource");
  assert.equal(
    format.value.specifier.value,
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n',
  );
});
