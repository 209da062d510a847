/** JSON access-log format: nested objects, arrays and literals as in Envoy's `SubstitutionFormatString.json_format`. */
export type JsonLogFormat =
  | string
  | number
  | boolean
  | null
  | readonly JsonLogFormat[]
  | { readonly [key: string]: JsonLogFormat };

/** The format of one access log. `default` = Envoy's own default text. */
export type AccessLogFormat =
  | { readonly kind: "default" }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "json"; readonly json: { readonly [key: string]: JsonLogFormat } };

/** `envoy.config.accesslog.v3.AccessLogFilter`, the kinds that are supported. */
export type AccessLogFilter =
  | { readonly kind: "status" | "duration"; readonly op: "=" | ">=" | "<="; readonly value: number }
  /** Any of these flags; an empty list: any flag at all. */
  | { readonly kind: "response-flags"; readonly flags: readonly string[] }
  | { readonly kind: "and" | "or"; readonly filters: readonly AccessLogFilter[] };

/** One access log of a listener or HTTP connection manager. */
export interface AccessLogConfig {
  readonly name: string;
  readonly sink:
    | { readonly kind: "stdout" }
    | { readonly kind: "stderr" }
    | { readonly kind: "file"; readonly path: string };
  readonly format: AccessLogFormat;
  readonly omitEmptyValues: boolean;
  readonly filter: AccessLogFilter | undefined;
}
