import type { ListenerConfig } from "../config/listener.ts";
import type {
  ListenerFilterPredicate,
  LookingFilterConfig,
  PassedTlvs,
  ProxyProtocolFilterConfig,
} from "../config/listener-filter.ts";

/** A listener filter whose condition is compiled. */
export type BoundListenerFilter = {
  /** Whether connections that were meant for this port pass it by; undefined: none does. */
  readonly isDisabledOn: ((port: number) => boolean) | undefined;
} & (
  | LookingFilterConfig
  | (ProxyProtocolFilterConfig & {
      /** Whether a TLV of this type may go on to endpoints. */
      readonly passesTlv: (type: number) => boolean;
    })
);

/** The filters of a listener; a TLS inspector behind them where a chain could not be chosen without it, as Envoy adds it. */
export function bindListenerFilters({ listenerFilters, filterChains }: ListenerConfig): readonly BoundListenerFilter[] {
  const bound = listenerFilters.map((filter): BoundListenerFilter => {
    const isDisabledOn = filter.disabledFor === undefined ? undefined : bindPredicate(filter.disabledFor);
    return filter.kind === "proxy_protocol"
      ? { ...filter, isDisabledOn, passesTlv: (type) => passesTlv(filter.passedTlvs, type) }
      : { ...filter, isDisabledOn };
  });
  if (bound.some(({ kind }) => kind === "tls_inspector")) return bound;
  const needsTls = filterChains.some(
    ({ match: { transportProtocol, serverNames, applicationProtocols } }) =>
      transportProtocol === "tls" ||
      (transportProtocol === "" && (serverNames.length > 0 || applicationProtocols.length > 0)),
  );
  return needsTls ? [...bound, addedInspector] : bound;
}

const addedInspector: BoundListenerFilter = {
  kind: "tls_inspector",
  disabledFor: undefined,
  isDisabledOn: undefined,
};

/** Whether what is passed holds this type. */
export function passesTlv(passed: PassedTlvs, type: number): boolean {
  return passed === "all" || passed.includes(type);
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
