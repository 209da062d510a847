import {
  type Http1ProtocolOptions,
  type PreserveCaseFormatterConfig,
  PreserveCaseFormatterConfig_FormatterTypeOnEnvoyHeaders,
} from "@heddle/xds/api";
import type { HeaderKeyFormat } from "../config/cluster.ts";
import type { Loading, Path } from "./loading.ts";

/** `at`: the path of the options. */
export function loadHeaderKeyFormat(
  options: Http1ProtocolOptions | undefined,
  at: Path,
  loading: Loading,
): HeaderKeyFormat {
  const format = options?.headerKeyFormat;
  if (format === undefined) return "lower";
  const where = at.field("header_key_format");
  switch (format.headerFormat.case) {
    case "properCaseWords":
      return "proper-words";
    case "statefulFormatter": {
      const config = where.field("stateful_formatter").field("typed_config");
      const message = loading.unpack(format.headerFormat.value.typedConfig, config);
      if (message === undefined) return "lower";
      if (
        message.$typeName !== "envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig"
      ) {
        loading.misplaced(message, config, "a formatter of header names");
        return "lower";
      }
      const { formatterTypeOnEnvoyHeaders: others } = message as PreserveCaseFormatterConfig;
      return others === PreserveCaseFormatterConfig_FormatterTypeOnEnvoyHeaders.PROPER_CASE
        ? "kept-or-proper-words"
        : "kept";
    }
    default:
      loading.problem(where, "no format is chosen", "give proper_case_words or stateful_formatter");
      return "lower";
  }
}
