import { listenDescriptorsVariable, parseInheritedDescriptors } from "@heddle/net";
import { loadBootstrap } from "../bootstrap/load.ts";
import type { LineLogger } from "../line-logger.ts";
import type { ProxyOptions } from "../options/options.ts";
import type { DrainMessage, GenerationSetup, SupervisorMessage } from "../supervisor/messages.ts";
import { exitCodes } from "@heddle/core";
import { StateIsNewer } from "@heddle/state";
import { Generation } from "./generation.ts";
import { SocketBroker } from "./socket-broker.ts";
import { StartFailure } from "./start-failure.ts";
import { openSupervisorChannel } from "./supervisor-channel.ts";
import type { WorkerPool } from "./worker-pool.ts";

/** The main thread of a generation, from start to exit. */
export async function runGeneration(
  { options, sockets, lineage }: GenerationSetup<ProxyOptions>,
  pool: WorkerPool,
  logger: LineLogger,
): Promise<void> {
  const channel = openSupervisorChannel();
  /** Ends the process once the supervisor has been told that starting again would not help. */
  const fail = (exitCode: number, message: string, reason = message): Promise<never> => {
    logger.error(message);
    return channel.sendLast({ type: "fatal", exitCode, reason }, exitCode);
  };
  process.on("uncaughtException", (error) => {
    logger.error("the proxy crashed", { error: error.stack ?? error.message });
    process.exit(exitCodes.negative);
  });

  const loaded = await loadBootstrap(options);
  if (loaded.bootstrap === undefined) {
    for (const line of loaded.report) logger.error(line);
    await fail(loaded.exitCode, "the bootstrap is refused: nothing was started", loaded.report.join("; "));
    return;
  }
  const inherited = parseInheritedDescriptors(process.env[listenDescriptorsVariable]) ?? new Map();
  const broker = new SocketBroker(channel, inherited, sockets);
  const generation = new Generation({
    options,
    bootstrap: loaded.bootstrap,
    channel,
    broker,
    pool,
    logger,
    lineage,
  });
  let isDraining = false;
  const drain = ({ deadlineMs, isLast }: DrainMessage): void => {
    // It may be retiring already when the whole proxy is told to end.
    if (isDraining) return generation.endBy(deadlineMs);
    isDraining = true;
    if (isLast) void generation.drain(deadlineMs).finally(() => process.exit(exitCodes.fine));
    else {
      void generation.retire(deadlineMs).then(
        (counters) => channel.sendLast(counters, exitCodes.fine),
        () => process.exit(exitCodes.negative),
      );
    }
  };
  channel.onMessage((message: SupervisorMessage) => {
    if (message.type === "drain") drain(message);
    else if (message.type === "carried") generation.takeCounters(message.generation, message.series, message.isFinal);
    else void generation.takeOver();
  });
  // A signal to the whole process group reaches this process, too: the supervisor decides what it means.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  generation.onQuit(() => channel.send({ type: "quit" }));

  try {
    await generation.start();
  } catch (error) {
    if (!(error instanceof StartFailure) && !(error instanceof StateIsNewer)) throw error;
    await fail(exitCodes.negative, error.message);
  }
}
