// Preloaded into a test (`node --import`) and all processes that it starts: the branch that HEDDLE_TURNED_BRANCH names, a Turn as
// JSON, is turned round when its file is loaded. See prove-rules.ts.
import { registerHooks } from "node:module";
import { turnRound, type Turn } from "./turned-branch.ts";

const turn = JSON.parse(process.env["HEDDLE_TURNED_BRANCH"] ?? "null") as Turn | null;
const file = turn && new URL(`../packages/${turn[0]}`, import.meta.url).href;

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (turn === null || url !== file) return loaded;
    const source = typeof loaded.source === "string" ? loaded.source : new TextDecoder().decode(loaded.source);
    return { ...loaded, source: turnRound(source, turn) };
  },
});
