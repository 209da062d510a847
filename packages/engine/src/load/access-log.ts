import {
  type AccessLog,
  type AccessLogFilter as AccessLogFilterMessage,
  type ComparisonFilter,
  ComparisonFilter_Op,
  type FileAccessLog,
  type StderrAccessLog,
  type StdoutAccessLog,
  type SubstitutionFormatString,
} from "@heddle/xds/api";
import type { AccessLogConfig, AccessLogFilter, AccessLogFormat } from "../config/access-log.ts";
import { loadDataSource } from "./core-types.ts";
import type { Loading, Path } from "./loading.ts";

export function loadAccessLogs(logs: readonly AccessLog[], at: Path, loading: Loading): AccessLogConfig[] {
  return logs.map((log, index) => loadAccessLog(log, at.index(index), loading));
}

function loadAccessLog(log: AccessLog, at: Path, loading: Loading): AccessLogConfig {
  const where = at.field("typed_config");
  const message = loading.unpack(log.configType.value, where);
  let sink: AccessLogConfig["sink"] = { kind: "stdout" };
  let format: SubstitutionFormatString | undefined;
  switch (message?.$typeName) {
    case "envoy.extensions.access_loggers.file.v3.FileAccessLog": {
      const file = message as FileAccessLog;
      sink = fileSink(loading.required(file.path, where.field("path")));
      format = file.accessLogFormat.case === "logFormat" ? file.accessLogFormat.value : undefined;
      break;
    }
    case "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog":
      format = (message as StdoutAccessLog).accessLogFormat.value;
      break;
    case "envoy.extensions.access_loggers.stream.v3.StderrAccessLog":
      sink = { kind: "stderr" };
      format = (message as StderrAccessLog).accessLogFormat.value;
      break;
    case undefined:
      break;
    default:
      if (message !== undefined) loading.misplaced(message, where, "a file, stdout or stderr access log");
  }
  return {
    name: log.name,
    sink,
    format: loadFormat(format, where.field("log_format"), loading),
    omitEmptyValues: format?.omitEmptyValues ?? false,
    filter: log.filter === undefined ? undefined : loadFilter(log.filter, at.field("filter"), loading),
  };
}

/** The files that Envoy's documentation uses for the standard streams are those streams. */
function fileSink(path: string): AccessLogConfig["sink"] {
  if (path === "/dev/stdout") return { kind: "stdout" };
  return path === "/dev/stderr" ? { kind: "stderr" } : { kind: "file", path };
}

function loadFormat(format: SubstitutionFormatString | undefined, at: Path, loading: Loading): AccessLogFormat {
  switch (format?.format.case) {
    case undefined:
      return { kind: "default" };
    case "textFormat":
      return { kind: "text", text: format.format.value };
    case "textFormatSource":
      return { kind: "text", text: loadDataSource(format.format.value, at.field("text_format_source"), loading) ?? "" };
    case "jsonFormat":
      return { kind: "json", json: format.format.value };
  }
}

const operators: Readonly<Record<ComparisonFilter_Op, "=" | ">=" | "<=">> = {
  [ComparisonFilter_Op.EQ]: "=",
  [ComparisonFilter_Op.GE]: ">=",
  [ComparisonFilter_Op.LE]: "<=",
};

function loadFilter(filter: AccessLogFilterMessage, at: Path, loading: Loading): AccessLogFilter {
  const specifier = filter.filterSpecifier;
  switch (specifier.case) {
    case "statusCodeFilter":
      return loadComparison("status", specifier.value.comparison, at.field("status_code_filter"), loading);
    case "durationFilter":
      return loadComparison("duration", specifier.value.comparison, at.field("duration_filter"), loading);
    case "responseFlagFilter":
      return { kind: "response-flags", flags: specifier.value.flags };
    case "andFilter":
      return { kind: "and", filters: loadFilters(specifier.value.filters, at.field("and_filter"), loading) };
    case "orFilter":
      return { kind: "or", filters: loadFilters(specifier.value.filters, at.field("or_filter"), loading) };
    default:
      if (specifier.case === undefined) loading.problem(at, "the filter is empty", "give a filter, or remove it");
      return { kind: "and", filters: [] };
  }
}

function loadFilters(filters: readonly AccessLogFilterMessage[], at: Path, loading: Loading): AccessLogFilter[] {
  if (filters.length < 2) loading.problem(at.field("filters"), "there are fewer than two filters", "give two or more");
  return filters.map((filter, index) => loadFilter(filter, at.field("filters").index(index), loading));
}

function loadComparison(
  kind: "status" | "duration",
  comparison: ComparisonFilter | undefined,
  at: Path,
  loading: Loading,
): AccessLogFilter {
  if (comparison?.value === undefined)
    loading.problem(at.field("comparison"), "there is nothing to compare with", "give op and value");
  return {
    kind,
    op: operators[comparison?.op ?? ComparisonFilter_Op.EQ] ?? "=",
    value: comparison?.value?.defaultValue ?? 0,
  };
}
