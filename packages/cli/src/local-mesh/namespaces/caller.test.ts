import assert from "node:assert/strict";
import { test } from "node:test";
import { callerVariables, findCaller } from "./caller.ts";

const passwd = "root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000:Ada,,,:/home/ada:/bin/sh\n";
const sudo = { SUDO_UID: "1000", SUDO_GID: "1000" };
const ada = { name: "ada", home: "/home/ada" };
const root = { name: "root", home: "/root" };

const cases: readonly [who: string, input: Parameters<typeof findCaller>, expected: ReturnType<typeof findCaller>][] = [
  ["root through sudo is who called it", [sudo, 0, 0, passwd], { uid: 1000, gid: 1000, account: ada }],
  ["root itself is root", [{}, 0, 0, passwd], { uid: 0, gid: 0, account: root }],
  ["half of what sudo says says nothing", [{ SUDO_UID: "1000" }, 0, 0, passwd], { uid: 0, gid: 0, account: root }],
  ["what is no number says nothing", [{ ...sudo, SUDO_UID: "0x3e8" }, 0, 0, passwd], { uid: 0, gid: 0, account: root }],
  [
    "somebody else who says sudo is not believed",
    [{ SUDO_UID: "0", SUDO_GID: "0" }, 1000, 1000, passwd],
    { uid: 1000, gid: 1000, account: ada },
  ],
  ["an id without an entry has no account", [{}, 4242, 4242, passwd], { uid: 4242, gid: 4242, account: undefined }],
];

for (const [who, input, expected] of cases) {
  test(`caller: ${who}`, () => assert.deepEqual(findCaller(...input), expected));
}

test("a caller's variables are those of a login; without an account there are none", () => {
  assert.deepEqual(callerVariables({ uid: 1000, gid: 1000, account: ada }), {
    HOME: "/home/ada",
    USER: "ada",
    LOGNAME: "ada",
  });
  assert.deepEqual(callerVariables({ uid: 4242, gid: 4242, account: undefined }), {});
});
