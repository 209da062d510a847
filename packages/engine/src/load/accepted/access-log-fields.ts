import type { AcceptedFields } from "../field-walker.ts";
import { logFilters, through, withoutEffect, proven, enumerated } from "./proofs.ts";

const accessLogs = "engine/src/load/access-log.test.ts › an access log's sink, format and filter arrive";

/** Access logs. */
export const accessLogFields: AcceptedFields = {
  "envoy.config.accesslog.v3.AccessLog": {
    ...proven(through(accessLogs, logFilters), "name"),
    ...proven(logFilters, "filter", "typed_config"),
  },
  "envoy.config.accesslog.v3.AccessLogFilter": proven(
    logFilters,
    "status_code_filter",
    "duration_filter",
    "response_flag_filter",
    "and_filter",
    "or_filter",
  ),
  "envoy.config.accesslog.v3.StatusCodeFilter": proven(logFilters, "comparison"),
  "envoy.config.accesslog.v3.DurationFilter": proven(logFilters, "comparison"),
  "envoy.config.accesslog.v3.ComparisonFilter": {
    ...enumerated(logFilters, "op", "EQ", "GE", "LE"),
    ...proven(logFilters, "value"),
  },
  "envoy.config.core.v3.RuntimeUInt32": {
    ...proven(logFilters, "default_value"),
    ...proven(withoutEffect("there is no runtime to override the default value", logFilters), "runtime_key"),
  },
  "envoy.config.accesslog.v3.AndFilter": proven(logFilters, "filters"),
  "envoy.config.accesslog.v3.OrFilter": proven(logFilters, "filters"),
  "envoy.config.accesslog.v3.ResponseFlagFilter": proven(logFilters, "flags"),
  "envoy.extensions.access_loggers.file.v3.FileAccessLog": proven(logFilters, "path", "log_format"),
  "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog": proven(accessLogs, "log_format"),
  "envoy.extensions.access_loggers.stream.v3.StderrAccessLog": proven(accessLogs, "log_format"),
  "envoy.config.core.v3.SubstitutionFormatString": {
    ...proven(logFilters, "json_format", "text_format_source"),
    ...proven(through(accessLogs, logFilters), "text_format", "omit_empty_values"),
  },
};
