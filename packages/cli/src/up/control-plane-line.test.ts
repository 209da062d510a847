import assert from "node:assert/strict";
import { test } from "node:test";
import type { ControlPlaneLine } from "./control-plane-line.ts";
import { readControlPlaneLine } from "./control-plane-line.ts";

const cases: readonly { title: string; line: string; read: ControlPlaneLine }[] = [
  {
    title: "a refused resource has place, code, message and hint",
    line: '{"level":"error","time":1,"code":"HDL0010","place":"a.yaml:3","message":"no","hint":"do","msg":"resource rejected"}',
    read: { kind: "rejected", place: "a.yaml:3", code: "HDL0010", message: "no", hint: "do" },
  },
  {
    title: "a finding that refuses nothing is a warning",
    line: '{"level":"warn","time":1,"code":"HDL0201","place":"a.yaml:3","resource":"Gateway default/a","message":"kept","hint":"","msg":"resource finding"}',
    read: { kind: "warned", place: "a.yaml:3", code: "HDL0201", message: "Gateway default/a: kept", hint: "" },
  },
  {
    title: "what was accepted comes with its changes",
    line: '{"level":"info","time":1,"resources":2,"changed":["+ VirtualService default/a"],"msg":"configuration accepted"}',
    read: { kind: "accepted", resources: 2, changed: ["+ VirtualService default/a"] },
  },
  {
    title: "other warnings are told with their fields",
    line: '{"level":"warn","time":1,"reason":"expired","list":[1],"msg":"a client certificate was refused"}',
    read: { kind: "problem", level: "warn", message: "a client certificate was refused reason=expired list=[1]" },
  },
  { title: "chatter is nothing", line: '{"level":"info","time":1,"msg":"xds stream opened"}', read: { kind: "other" } },
  { title: "an empty line is nothing", line: "", read: { kind: "other" } },
  {
    title: "what is not JSON comes from a crash",
    line: "TypeError: x",
    read: { kind: "problem", level: "error", message: "TypeError: x" },
  },
];

for (const { title, line, read } of cases) {
  test(title, () => assert.deepEqual(readControlPlaneLine(line), read));
}
