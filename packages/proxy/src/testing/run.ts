// `heddle proxy` as a process of its own, for tests of what happens between processes.
import { runProxy } from "../run-proxy.ts";

process.exitCode = await runProxy(process.argv.slice(2));
