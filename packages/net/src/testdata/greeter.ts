// Listens on an inherited socket, as a process or as a worker, and greets whoever comes with its name.
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { listenDescriptorsVariable, parseInheritedDescriptors } from "../inherited-descriptors.ts";
import { parseAddress } from "../ip-address.ts";
import { openListener } from "../listener.ts";

const given = workerData as { name: string; address: { host: string; port: number }; descriptor: number } | null;
const inherit = parseInheritedDescriptors(process.env[listenDescriptorsVariable]) ?? new Map<string, number>();
const name = given?.name ?? process.argv[2] ?? "";
const address = given?.address ?? parseAddress([...inherit.keys()][0] ?? "");
if (address === undefined) throw new Error("nothing to listen on");

const listener = await openListener(address, {
  ...(given === null ? { inherit } : { descriptor: given.descriptor }),
  onConnection(socket) {
    socket.start({ onReady() {}, onBytes: (_bytes, start, end) => end - start, onEnd() {}, onDrain() {}, onClose() {} });
    socket.write(Buffer.from(name), 0, name.length);
    socket.end();
  },
});

if (isMainThread) {
  process.stdout.write("listening\n");
} else {
  parentPort?.on("message", () => {
    listener.close();
    parentPort?.close();
  });
  parentPort?.postMessage("listening");
}
