import type { ListenerConfig } from "../config/listener.ts";
import type { ListenerFilterConfig, ListenerFilterPredicate } from "../config/listener-filter.ts";

/** A listener filter whose condition is compiled. */
export type BoundListenerFilter = ListenerFilterConfig & {
  /** Whether connections that were meant for this port pass it by; undefined: none does. */
  readonly isDisabledOn: ((port: number) => boolean) | undefined;
};

/** The filters of a listener; a TLS inspector behind them where a chain could not be chosen without it, as Envoy adds it. */
export function bindListenerFilters({ listenerFilters, filterChains }: ListenerConfig): readonly BoundListenerFilter[] {
  const bound = listenerFilters.map(
    (filter): BoundListenerFilter => ({
      ...filter,
      isDisabledOn: filter.disabledFor === undefined ? undefined : bindPredicate(filter.disabledFor),
    }),
  );
  if (bound.some(({ kind }) => kind === "tls_inspector")) return bound;
  const needsTls = filterChains.some(
    ({ match: { transportProtocol, serverNames, applicationProtocols } }) =>
      transportProtocol === "tls" ||
      (transportProtocol === "" && (serverNames.length > 0 || applicationProtocols.length > 0)),
  );
  return needsTls ? [...bound, { kind: "tls_inspector", disabledFor: undefined, isDisabledOn: undefined }] : bound;
}

function bindPredicate(config: ListenerFilterPredicate): (port: number) => boolean {
  switch (config.kind) {
    case "any":
      return () => true;
    case "not": {
      const inner = bindPredicate(config.of);
      return (port) => !inner(port);
    }
    case "and": {
      const all = config.of.map(bindPredicate);
      return (port) => all.every((test) => test(port));
    }
    case "or": {
      const any = config.of.map(bindPredicate);
      return (port) => any.some((test) => test(port));
    }
    case "port":
      return (port) => port >= config.start && port < config.end;
  }
}
