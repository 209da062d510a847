/** `heddle proxy`: the proxy reads its own words. Its supervisor alone is loaded here, as one runs beside every replica. */
export { runProxy } from "@heddle/proxy/command";
