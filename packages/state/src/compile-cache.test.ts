import assert from "node:assert/strict";
import { test } from "node:test";
import { compileCacheEnvironment, compileCacheFolder } from "./compile-cache.ts";

const noAccount = (): string => {
  throw new Error("uv_os_homedir returned ENOENT");
};

for (const { title, env, account = () => "/home/account", expected } of [
  { title: "XDG_CACHE_HOME", env: { XDG_CACHE_HOME: "/cache", HOME: "/home/me" }, expected: "/cache/heddle/compiled" },
  {
    title: "HOME where XDG_CACHE_HOME is empty",
    env: { XDG_CACHE_HOME: "", HOME: "/home/me" },
    expected: "/home/me/.cache/heddle/compiled",
  },
  {
    title: "HOME where XDG_CACHE_HOME is relative",
    env: { XDG_CACHE_HOME: "cache", HOME: "/home/me" },
    expected: "/home/me/.cache/heddle/compiled",
  },
  { title: "the account's folder without HOME", env: {}, expected: "/home/account/.cache/heddle/compiled" },
  { title: "no folder without an account", env: {}, account: noAccount, expected: undefined },
  { title: "no folder for who lives at the root", env: { HOME: "/" }, expected: undefined },
  { title: "no folder of an empty HOME", env: { HOME: "" }, expected: undefined },
]) {
  test(`compiled modules are kept in the user's own cache: ${title}`, () => {
    assert.equal(compileCacheFolder(env, account), expected);
  });
}

test("a process is told of the cache, of the user's own if there is one, and of none", () => {
  assert.deepEqual(compileCacheEnvironment({ NODE_COMPILE_CACHE: "/mine", HOME: "/home/me" }), {
    NODE_COMPILE_CACHE: "/mine",
  });
  assert.deepEqual(compileCacheEnvironment({ HOME: "/home/me" }), {
    NODE_COMPILE_CACHE: "/home/me/.cache/heddle/compiled",
  });
  assert.deepEqual(compileCacheEnvironment({ HOME: "/" }), {});
});
