import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Ports of two services that do not speak HTTP. */
export const tcpPorts = { echo: 7000, greeter: 7001 } as const;

const echo = `import { createServer } from "node:net";
createServer((socket) => socket.on("error", () => socket.destroy()).pipe(socket)).listen(process.env.PORT);
`;

/** The server speaks first: a client that waits for it, and a proxy that waits for the client, would wait for ever. */
const greeter = `import { createServer } from "node:net";
createServer((socket) => socket.on("error", () => socket.destroy()).end("welcome, says user " + process.getuid() + "\\n")).listen(process.env.PORT);
`;

const workloads = Object.entries(tcpPorts)
  .map(
    ([name, port]) => `    - name: ${name}
      service: ${name}
      protocol: tcp
      command: [heddle-node, services/${name}.mjs]
      port: ${port}
`,
  )
  .join("");

/** Adds them to a copy of the bookshop, whose list of workloads ends its mesh.yaml. */
export async function addTcpServices(folder: string): Promise<void> {
  await writeFile(join(folder, "services", "echo.mjs"), echo);
  await writeFile(join(folder, "services", "greeter.mjs"), greeter);
  await appendFile(join(folder, "mesh.yaml"), workloads);
}
