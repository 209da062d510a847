import type { GenerationMessage, SupervisorMessage } from "../supervisor/messages.ts";
import type { SupervisorChannel } from "./socket-broker.ts";

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
