import type { GenerationMessage, SupervisorMessage } from "../supervisor/messages.ts";
import type { SupervisorChannel } from "./socket-broker.ts";

const connectionCheckMs = 500;

export interface ProcessChannel extends SupervisorChannel {
  /** Says one last thing and ends the process when it has left. */
  sendLast(message: GenerationMessage, exitCode: number): Promise<never>;
}

/**
 * The IPC channel of this process. When it closes the supervisor is gone, and nothing may stay behind: the process ends
 * at once (design §5, "Parents and children").
 */
export function openSupervisorChannel(): ProcessChannel {
  const listeners: ((message: SupervisorMessage) => void)[] = [];
  process.on("message", (message: SupervisorMessage) => {
    for (const listener of listeners) listener(message);
  });
  process.on("disconnect", () => process.exit(1));
  // While a descriptor that was sent is not acknowledged, the runtime postpones the event until it is; from a supervisor
  // that is dead that never comes. What it knows at once is this property.
  setInterval(() => {
    if (!process.connected) process.exit(1);
  }, connectionCheckMs).unref();
  return {
    send: (message: GenerationMessage, handle) => {
      if (process.connected) process.send?.(message, handle);
    },
    sendLast: (message, exitCode) =>
      new Promise<never>(() => {
        if (process.connected) process.send?.(message, () => process.exit(exitCode));
        else process.exit(exitCode);
      }),
    onMessage: (listener) => listeners.push(listener),
  };
}
