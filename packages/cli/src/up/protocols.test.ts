import assert from "node:assert/strict";
import { test } from "node:test";
import { answers, edgeUrl, startMesh } from "../testing/live-mesh.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

/** Answers with what the services behind it said: one of bytes, and one port that takes HTTP and greets whoever is silent. */
const files = {
  "mesh.yaml": `apiVersion: heddle.dev/v1alpha1
kind: LocalMesh
metadata: { name: protocols }
spec:
  edge: { service: front, port: 0 }
  workloads:
    - { name: front, service: front, command: [node, front.cjs], port: 80 }
    - { name: bytes, service: bytes, command: [node, bytes.cjs], port: 7000, protocol: tcp, calls: [] }
    - { name: mixed, service: mixed, command: [node, mixed.cjs], port: 7001, protocol: auto, calls: [] }
`,
  "policy.yaml": `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: no-secrets, namespace: default }
spec:
  selector: { matchLabels: { app: mixed } }
  action: DENY
  rules: [{ to: [{ operation: { paths: [/secret] } }], from: [{ source: { principals: ["cluster.local/ns/default/sa/front"] } }] }]
`,
  "front.cjs": `const http = require("node:http"), net = require("node:net");
const raw = (url, text) => new Promise((resolve) => {
  const { hostname, port } = new URL(url);
  const socket = net.connect(port, hostname);
  let got = "";
  socket.on("data", (chunk) => (got += chunk));
  socket.on("error", (error) => resolve(got + error.code));
  socket.on("close", () => resolve(got));
  if (text !== "") socket.end(text);
});
http.createServer(async (request, response) => {
  const web = await fetch(process.env.MIXED_URL + "/open");
  const secret = await fetch(process.env.MIXED_URL + "/secret");
  response.end(JSON.stringify({
    scheme: new URL(process.env.BYTES_URL).protocol,
    bytes: await raw(process.env.BYTES_URL, "ping"),
    http: await web.text(),
    secret: secret.status,
    silent: await raw(process.env.MIXED_URL, ""),
  }));
}).listen(process.env.PORT, "127.0.0.1");
`,
  "bytes.cjs": `require("node:net").createServer({ allowHalfOpen: true }, (socket) => {
  socket.write("hello ");
  socket.on("error", () => {});
  socket.pipe(socket);
}).listen(process.env.PORT, "127.0.0.1");
`,
  "mixed.cjs": `const http = require("node:http"), net = require("node:net");
const web = http.createServer((request, response) => response.end("web " + request.url));
net.createServer((socket) => {
  socket.on("error", () => {});
  // As a mail server: who is silent is greeted, who sends HTTP is answered.
  const greeting = setTimeout(() => socket.end("220 ready"), 1000);
  socket.once("data", (first) => {
    clearTimeout(greeting);
    web.emit("connection", socket);
    socket.unshift(first);
  });
}).listen(process.env.PORT, "127.0.0.1");
`,
};

test("a mesh carries bytes, HTTP and a server that speaks first, and policy for HTTP holds where HTTP was found", {
  timeout: 110_000,
}, async (context) => {
  const heddle = startMesh(context, temporaryFolder(context, files));
  const url = await edgeUrl(heddle);
  // What says nothing for so long that it counts as opaque meets the rule without its path: it is denied.
  await answers(
    url,
    JSON.stringify({ scheme: "tcp:", bytes: "hello ping", http: "web /open", secret: 403, silent: "" }),
  );
  heddle.kill("SIGINT");
  assert.equal(await heddle.end(), 0);
});

/** Answers with what a call said that goes to and fro before either side ends, as gRPC streams do. */
const callFiles = {
  "mesh.yaml": `apiVersion: heddle.dev/v1alpha1
kind: LocalMesh
metadata: { name: calls }
spec:
  edge: { service: front, port: 0 }
  workloads:
    - { name: front, service: front, command: [node, front.cjs], port: 80 }
    - { name: greeter, service: greeter, command: [node, greeter.cjs], port: 50051, protocol: grpc, calls: [] }
`,
  "front.cjs": `const http = require("node:http"), http2 = require("node:http2");
http.createServer((request, response) => {
  const session = http2.connect(process.env.GREETER_URL);
  const said = [];
  const end = (more) => { session.close(); response.end(JSON.stringify({ said, ...more })); };
  session.on("error", (error) => end({ error: error.message }));
  const call = session.request({ ":method": "POST", ":path": "/greet.Greeter/Chat", "content-type": "application/grpc", te: "trailers" });
  call.on("error", (error) => end({ error: error.message }));
  call.on("data", (chunk) => {
    said.push(String(chunk));
    if (said.length === 1) call.end("second");
  });
  call.on("trailers", (trailers) => end({ status: trailers["grpc-status"] }));
  call.write("first");
}).listen(process.env.PORT, "127.0.0.1");
`,
  "greeter.cjs": `require("node:http2").createServer((request, response) => {
  response.writeHead(200, { "content-type": "application/grpc", trailer: "grpc-status" });
  request.on("data", (chunk) => response.write(request.httpVersion + " " + chunk));
  request.on("end", () => {
    response.addTrailers({ "grpc-status": "0" });
    response.end();
  });
}).listen(process.env.PORT, "127.0.0.1");
`,
};

test("a gRPC service of a mesh is called over HTTP/2 from the application to the application, both sides speaking at once", {
  timeout: 110_000,
}, async (context) => {
  const heddle = startMesh(context, temporaryFolder(context, callFiles));
  await answers(await edgeUrl(heddle), JSON.stringify({ said: ["2.0 first", "2.0 second"], status: "0" }));
  heddle.kill("SIGINT");
  assert.equal(await heddle.end(), 0);
});
