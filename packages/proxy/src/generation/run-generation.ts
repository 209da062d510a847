import { listenDescriptorsVariable, parseInheritedDescriptors } from "@heddle/net";
import { loadBootstrap } from "../bootstrap/load.ts";
import { LineLogger } from "../line-logger.ts";
import type { ProxyOptions } from "../options/options.ts";
import { exitCodes } from "../supervisor/messages.ts";
import { Generation, StartFailure } from "./generation.ts";
import { StateIsNewer } from "./state-is-newer.ts";
import { openSupervisorChannel } from "./supervisor-channel.ts";

/**
 * The main thread of a generation, from start to exit.
 *
 * @param serialised the options of the supervisor, as JSON
 */
export async function runGeneration(serialised: string): Promise<void> {
  const options = JSON.parse(serialised) as ProxyOptions;
  const logger = new LineLogger("proxy", options.logLevel);
  const channel = openSupervisorChannel();
  const fail = (exitCode: number, message: string): void => {
    logger.error(message);
    channel.send({ type: "fatal", exitCode });
    process.exitCode = exitCode;
    // Not exit(): the message to the supervisor must leave first.
    process.disconnect?.();
  };
  process.on("uncaughtException", (error) => {
    logger.error("the proxy crashed", { error: error.stack ?? error.message });
    process.exit(exitCodes.failed);
  });

  const loaded = await loadBootstrap(options);
  if (loaded.bootstrap === undefined) {
    for (const line of loaded.report) logger.error(line);
    return fail(loaded.exitCode, "the bootstrap is refused: nothing was started");
  }
  const generation = new Generation(options, loaded.bootstrap, channel, parseInheritedDescriptors(process.env[listenDescriptorsVariable]) ?? new Map());
  let isDraining = false;
  const drain = (deadlineMs: number): void => {
    if (isDraining) return;
    isDraining = true;
    void generation.drain(deadlineMs).finally(() => process.exit(exitCodes.fine));
  };
  channel.onMessage((message) => {
    if (message.type === "drain") drain(message.deadlineMs);
  });
  // A signal to the whole process group reaches this process, too: the supervisor decides what it means.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  generation.onQuit(() => channel.send({ type: "quit" }));

  try {
    await generation.start();
  } catch (error) {
    if (!(error instanceof StartFailure) && !(error instanceof StateIsNewer)) throw error;
    fail(exitCodes.failed, error.message);
    process.exit();
  }
}
