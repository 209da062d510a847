/**
 * What is read of a `VirtualService` (networking.istio.io). Durations stay text ("1.5s"; `parseDuration` of core accepts each one).
 * Absent is absent: defaults belong to the compiler (istio.md 4.6).
 */
export interface VirtualServiceSpec {
  /** At least one. Short names resolve in the resource's own namespace; a leading `*.` or a lone `*` is a wildcard. */
  readonly hosts: readonly string[];
  /** Only `mesh` is accepted so far. */
  readonly gateways?: readonly "mesh"[];
  readonly http?: readonly HttpRoute[];
  /** Only `*` (the default) is accepted so far. */
  readonly exportTo?: readonly "*"[];
}

export interface HttpRoute {
  readonly name?: string;
  /** Entries are OR, fields of an entry AND; absent or empty matches everything. */
  readonly match?: readonly HttpMatch[];
  /** Exactly one of route, redirect, directResponse. */
  readonly route?: readonly HttpRouteDestination[];
  readonly redirect?: HttpRedirect;
  readonly directResponse?: HttpDirectResponse;
  readonly rewrite?: HttpRewrite;
  readonly timeout?: string;
  readonly retries?: HttpRetry;
  readonly fault?: HttpFault;
  readonly mirror?: Destination;
  /** Of `mirror`; absent means 100 %, an explicit 0 none. */
  readonly mirrorPercentage?: Percent;
  /** Never together with `mirror`. */
  readonly mirrors?: readonly HttpMirror[];
  readonly headers?: Headers;
}

/** At most one of the three is set; none set (`{}`) means "present", where that is allowed. */
export interface StringMatch {
  readonly exact?: string;
  readonly prefix?: string;
  /** RE2, full match. */
  readonly regex?: string;
}

export interface HttpMatch {
  readonly name?: string;
  readonly uri?: StringMatch;
  readonly method?: StringMatch;
  readonly authority?: StringMatch;
  /** Names are lower-case. `{}` means the header is present. */
  readonly headers?: Readonly<Record<string, StringMatch>>;
  /** Names are lower-case. `{}` means the header is absent. */
  readonly withoutHeaders?: Readonly<Record<string, StringMatch>>;
  /** Case-sensitive names. `{}` means the parameter is present. */
  readonly queryParams?: Readonly<Record<string, StringMatch>>;
  readonly port?: number;
  /** Decided at compile time: the calling workload's labels. Ignored when `gateways` is set (istio.md 4.4). */
  readonly sourceLabels?: Readonly<Record<string, string>>;
  /** Decided at compile time: the calling workload's namespace. Ignored when `gateways` is set. */
  readonly sourceNamespace?: string;
  readonly gateways?: readonly "mesh"[];
  /** Concerns `exact` and `prefix` of `uri` only. */
  readonly ignoreUriCase?: boolean;
}

export interface Destination {
  readonly host: string;
  readonly subset?: string;
  readonly port?: PortSelector;
}

export interface PortSelector {
  readonly number: number;
}

export interface HttpRouteDestination {
  readonly destination: Destination;
  /** 100 for a single destination when absent, else 0. */
  readonly weight?: number;
  readonly headers?: Headers;
}

export interface Headers {
  readonly request?: HeaderOperations;
  readonly response?: HeaderOperations;
}

/** Names are lower-case. On requests `host` and `:authority` may be set or added, which rewrites the host. Values are Envoy's formats. */
export interface HeaderOperations {
  readonly set?: Readonly<Record<string, string>>;
  readonly add?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
}

export interface HttpRedirect {
  readonly uri?: string;
  /** Replaces the matched prefix. Never together with `uri`. */
  readonly prefixRewrite?: string;
  readonly authority?: string;
  readonly scheme?: string;
  /** Never together with `derivePort`. */
  readonly port?: number;
  readonly derivePort?: "FROM_PROTOCOL_DEFAULT" | "FROM_REQUEST_PORT";
  /** 301 when absent; one of 301, 302, 303, 307, 308. */
  readonly redirectCode?: number;
}

export interface HttpDirectResponse {
  readonly status: number;
  readonly body?: HttpBody;
}

/** At most one is set. */
export interface HttpBody {
  readonly string?: string;
  /** Base64. */
  readonly bytes?: string;
}

export interface HttpRewrite {
  /** Replaces the matched prefix, or the whole path of an exact or regex match. Never together with `uriRegexRewrite`. */
  readonly uri?: string;
  readonly authority?: string;
  readonly uriRegexRewrite?: RegexRewrite;
}

export interface RegexRewrite {
  /** RE2. */
  readonly match: string;
  /** `\1` … `\9` are capture groups, `\0` the whole match. */
  readonly rewrite: string;
}

export interface HttpRetry {
  /** 0, and none at all, switch retries off. */
  readonly attempts?: number;
  readonly perTryTimeout?: string;
  /** Envoy's retry-on words and bare status codes, comma-separated. */
  readonly retryOn?: string;
  readonly backoff?: string;
  /** true when absent: a retry avoids the endpoints that failed already. */
  readonly retryIgnorePreviousHosts?: boolean;
}

export interface HttpFault {
  readonly delay?: FaultDelay;
  readonly abort?: FaultAbort;
}

export interface FaultDelay {
  readonly fixedDelay: string;
  /** None when absent, as in Istio. */
  readonly percentage?: Percent;
}

export interface FaultAbort {
  readonly httpStatus: number;
  /** None when absent, as in Istio. */
  readonly percentage?: Percent;
}

export interface HttpMirror {
  readonly destination: Destination;
  /** 100 % when absent; an explicit 0 means none. */
  readonly percentage?: Percent;
}

/** 0 to 100, fractions allowed; an absent value is 0, as protobuf reads it. */
export interface Percent {
  readonly value?: number;
}
