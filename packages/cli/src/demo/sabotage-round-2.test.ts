import { test } from "node:test";
import { playSabotageRound, titleOfRound } from "../testing/sabotage-round.ts";

test(titleOfRound(2), { timeout: 115_000 }, () => playSabotageRound(2));
