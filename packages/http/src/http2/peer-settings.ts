import { defaultMaxFrameBytes, defaultWindow, largestMaxFrameBytes, maxWindow, SettingId } from "./frame.ts";
import type { Http2Rule } from "./violation.ts";

/** What the peer has said in SETTINGS (RFC 9113 §6.5.2), with the values that hold before it does. */
export class PeerSettings {
  headerTableBytes = 4096;
  /** The smallest that the last frame named (RFC 7541 §4.2); what holds, where it named none. */
  smallestHeaderTableBytes = 4096;
  /** Before it is said, a peer should allow no fewer (RFC 9113 §6.5.2); once SETTINGS came without it, there is no limit. */
  maxConcurrentStreams = 100;
  initialWindowBytes = defaultWindow;
  maxFrameBytes = defaultMaxFrameBytes;
  /** What the peer would rather not exceed; no rule. */
  maxHeaderListBytes = Number.POSITIVE_INFINITY;
  enablesConnectProtocol = false;

  /** Whether SETTINGS have come. */
  isKnown = false;

  /** Takes settings in their order; unknown ones are ignored. `isServer`: the peer is one, which must not enable push. */
  apply(bytes: Buffer, start: number, end: number, isServer: boolean): Http2Rule | "" {
    if (!this.isKnown) this.maxConcurrentStreams = Number.POSITIVE_INFINITY;
    this.isKnown = true;
    this.smallestHeaderTableBytes = Number.POSITIVE_INFINITY;
    for (let at = start; at < end; at += 6) {
      const rule = this.#set(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2), isServer);
      if (rule !== "") return rule;
    }
    this.smallestHeaderTableBytes = Math.min(this.smallestHeaderTableBytes, this.headerTableBytes);
    return "";
  }

  #set(id: number, value: number, isServer: boolean): Http2Rule | "" {
    switch (id) {
      case SettingId.headerTableSize:
        this.headerTableBytes = value;
        this.smallestHeaderTableBytes = Math.min(this.smallestHeaderTableBytes, value);
        return "";
      case SettingId.enablePush:
        return value > (isServer ? 0 : 1) ? "badSetting" : "";
      case SettingId.maxConcurrentStreams:
        this.maxConcurrentStreams = value;
        return "";
      case SettingId.initialWindowSize:
        this.initialWindowBytes = value;
        return value > maxWindow ? "badInitialWindow" : "";
      case SettingId.maxFrameSize:
        this.maxFrameBytes = value;
        return value < defaultMaxFrameBytes || value > largestMaxFrameBytes ? "badSetting" : "";
      case SettingId.maxHeaderListSize:
        this.maxHeaderListBytes = value;
        return "";
      case SettingId.enableConnectProtocol:
        // Once said, it must not be taken back (RFC 8441 §3).
        if (value > 1 || (value === 0 && this.enablesConnectProtocol)) return "badSetting";
        this.enablesConnectProtocol = value === 1;
        return "";
      default:
        return "";
    }
  }
}
