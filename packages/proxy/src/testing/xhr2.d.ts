declare module "xhr2" {
  /** The browser's XMLHttpRequest, made of `node:http`. */
  const XMLHttpRequest: unknown;
  export default XMLHttpRequest;
}
