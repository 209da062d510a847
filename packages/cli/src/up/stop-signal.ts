import { readFileSync } from "node:fs";
import { constants } from "node:os";

const parentPollMs = 500;
/**
 * One Ctrl-C comes twice: to the whole process group, and passed on by the launcher (`bin/pinned-runtime.js`), which cannot know whether
 * only itself was meant. A person who means it asks again later than this.
 */
const sameSignalMs = 300;

/**
 * Resolves when this process is told to end: by Ctrl-C, SIGTERM, a closed terminal, or the end of the npm that started it. Told a second
 * time, it ends at once; its children end with it. `dispose` gives the signals back.
 */
export function listenForStop(): { readonly told: Promise<string>; dispose(): void } {
  const { promise: told, resolve } = Promise.withResolvers<string>();
  let toldAtMs: number | undefined;
  const stop = (reason: string, exitCode: number): void => {
    const now = performance.now();
    if (toldAtMs === undefined) {
      toldAtMs = now;
      resolve(reason);
    } else if (now - toldAtMs > sameSignalMs) process.exit(exitCode);
  };
  const handlers = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) => {
    const handler = (): void => stop(signal, 128 + constants.signals[signal]);
    process.on(signal, handler);
    return { signal, handler };
  });
  const parentTimer = watchNpm(() => stop("the end of npm", 1));
  return {
    told,
    dispose() {
      clearInterval(parentTimer);
      for (const { signal, handler } of handlers) process.off(signal, handler);
    },
  };
}

/** What a person reads when a mesh begins to end. */
export function describeStop(reason: string): string {
  return `stopping after ${reason}: open requests are finished; once more ends everything at once`;
}

/** `npm run` killed by SIGKILL cannot tell. It starts a shell, which may or may not stand between it and this process. */
function watchNpm(onGone: () => void): NodeJS.Timeout | undefined {
  if (process.env["npm_lifecycle_event"] === undefined) return undefined;
  const parent = process.ppid;
  const shellParent = isShell(parent) ? parentOf(parent) : undefined;
  const timer: NodeJS.Timeout = setInterval(() => {
    // Whose parent ends gets another one.
    if (process.ppid === parent && (shellParent === undefined || parentOf(parent) === shellParent)) return;
    clearInterval(timer);
    onGone();
  }, parentPollMs);
  timer.unref();
  return timer;
}

function isShell(pid: number): boolean {
  try {
    return /^(sh|dash|bash|ash|zsh)$/.test(readFileSync(`/proc/${pid}/comm`, "utf8").trim());
  } catch {
    // No /proc: the parent alone has to do.
    return false;
  }
}

/** proc_pid_stat(5), field 4; undefined when the process is gone. */
function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}
