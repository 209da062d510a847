/** A mesh of two programs without a line of TypeScript, for tests that start real processes: `front` calls `back`. */
export const smallMesh: Readonly<Record<string, string>> = {
  "server.cjs": `
const http = require("node:http");
const { PORT, BACK_URL, GREETING = "hello" } = process.env;
http
  .createServer((request, response) => {
    if (request.url === "/healthz") return response.end("ok");
    if (BACK_URL === undefined) return response.end(GREETING + " from " + process.env.HOSTNAME);
    http
      .get(BACK_URL + "/", (answer) => {
        response.writeHead(answer.statusCode);
        answer.pipe(response);
      })
      .on("error", (error) => response.writeHead(502).end(error.message));
  })
  .listen(PORT, "127.0.0.1", () => console.log("listening"));
`,
  "mesh.yaml": `apiVersion: heddle.dev/v1alpha1
kind: LocalMesh
metadata:
  name: small
spec:
  edge: { service: front, port: 0 }
  workloads:
    - name: front
      service: front
      command: [node, server.cjs]
      port: 80
      calls: [back]
      readiness: { httpGet: { path: /healthz } }
    - name: back
      service: back
      command: [node, server.cjs]
      port: 80
      calls: []
      readiness: { httpGet: { path: /healthz } }
`,
  "routes.yaml": `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: back
spec:
  hosts: [back]
  http:
    - timeout: 5s
      route:
        - destination:
            host: back
`,
};
