import type { GenerationMessage, SupervisorMessage } from "../supervisor/messages.ts";
import type { SupervisorChannel } from "./socket-broker.ts";

/**
 * The IPC channel of this process. When it closes the supervisor is gone, and nothing may stay behind: the process ends
 * at once (design §5, "Parents and children").
 */
export function openSupervisorChannel(): SupervisorChannel {
  const listeners: ((message: SupervisorMessage, handle: unknown) => void)[] = [];
  process.on("message", (message: SupervisorMessage, handle) => {
    for (const listener of listeners) listener(message, handle);
  });
  process.on("disconnect", () => process.exit(1));
  return {
    send: (message: GenerationMessage) => {
      if (process.connected) process.send?.(message);
    },
    onMessage: (listener) => listeners.push(listener),
  };
}
