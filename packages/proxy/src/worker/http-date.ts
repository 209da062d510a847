import type { MutableHeaders } from "@heddle/engine";

/** `date` for responses that have none (RFC 9110 §6.6.1), formatted once a second. */
export class HttpDate {
  #text = "";
  #second = -1;

  addTo(headers: MutableHeaders): void {
    if (headers.has("date")) return;
    const now = Date.now();
    const second = Math.trunc(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#text = new Date(now).toUTCString();
    }
    headers.append("date", this.#text);
  }
}
