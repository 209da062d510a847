// Preloaded into the process that heddle.js starts: ends it, by the ordinary way of a SIGTERM, when heddle.js is gone.
import { isMainThread } from "node:worker_threads";

// Workers run this file too, but only the main thread has the launcher's channel.
if (isMainThread && process.channel) {
  // What this process forks has a parent and a channel of its own.
  process.execArgv.splice(process.execArgv.indexOf("--import"), 2);
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
  process.channel.unref();
}
