import type { ServerHttp2Session } from "node:http2";
import type { Timers } from "../keep-alive.ts";
import { pingIntervalMs, pingTimeoutMs } from "../keep-alive.ts";

/**
 * Pings a session every 30 s and destroys it when no answer comes for 10 s, so that a proxy whose host vanished does not
 * count as connected. For the `session` event of the HTTP/2 server that ADS is mounted on.
 */
export function keepAlive<Handle>(session: ServerHttp2Session, timers: Timers<Handle>): void {
  let timer = timers.setTimeout(ping, pingIntervalMs);
  session.once("close", () => timers.clearTimeout(timer));

  function ping(): void {
    if (session.closed || session.destroyed) return;
    timer = timers.setTimeout(() => session.destroy(), pingTimeoutMs);
    session.ping((error) => {
      timers.clearTimeout(timer);
      if (error === null && !session.destroyed) timer = timers.setTimeout(ping, pingIntervalMs);
    });
  }
}
