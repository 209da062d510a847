import { test } from "node:test";
import { playSabotageRound, titleOfRound } from "../testing/sabotage-round.ts";

test(titleOfRound(4), { timeout: 115_000 }, () => playSabotageRound(4));
