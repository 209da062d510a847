/** The heddle command. What runs often or must answer at once is decided here, before anything else is loaded. */
import { enableCompileCache } from "node:module";
import { compileCacheFolder } from "@heddle/state/compile-cache";

// Generated code is most of what a proxy loads: with the cache it starts in a third of the time. Without it everything works.
const compileCache = compileCacheFolder(process.env);
if (compileCache !== undefined) enableCompileCache(compileCache);

const words = process.argv.slice(2);
const [command, ...rest] = words;
const asksForHelp = rest.includes("--help") || rest.includes("-h");

if (command === "proxy" && !asksForHelp) {
  // One runs beside every replica: no command tree, no option parser but its own.
  const { runProxy } = await import("./commands/proxy.ts");
  process.exit(await runProxy(rest));
} else if (command === "control-plane" && !asksForHelp) {
  const { runControlPlane } = await import("./commands/control-plane.ts");
  await runControlPlane();
} else if (words.length === 1 && (command === "version" || command === "--version" || command === "-V")) {
  const { heddleVersion } = await import("./version.ts");
  process.stdout.write(`${heddleVersion()}\n`);
} else {
  const { runCommandLine } = await import("./command-line/run.ts");
  // Explicit: what was interrupted (traffic of a demo that was told to stop) is not waited for. Writes to pipes are synchronous.
  process.exit(await runCommandLine(words));
}
