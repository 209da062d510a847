import assert from "node:assert/strict";
import { test } from "node:test";
import { LastWords } from "./last-words.ts";

const cases: readonly { title: string; output: string; words: string }[] = [
  { title: "the last line, when nothing tells more", output: "starting\nno database\n\n", words: "no database" },
  { title: "nothing, when nothing was written", output: "", words: "" },
  {
    title: "of a crash of Node the error, not its version",
    output: `node:internal/modules/esm/resolve:275
    throw new ERR_MODULE_NOT_FOUND(
          ^

Error: Cannot find module '/shop/missing.mjs'
    at finalizeResolution (node:internal/modules/esm/resolve:275:11)
    at defaultResolve (node:internal/modules/esm/resolve:985:11) {
  code: 'ERR_MODULE_NOT_FOUND',
  url: 'file:///shop/missing.mjs'
}

Node.js v26.10.0`,
    words: "Error: Cannot find module '/shop/missing.mjs'",
  },
  {
    title: "the first line of an error that has several",
    output: `Error: Cannot find module './gone.cjs'
Require stack:
- /shop/app.cjs
    at Module._resolveFilename (node:internal/modules/cjs/loader:1420:15) {
  requireStack: [ '/shop/app.cjs' ]
}

Node.js v20.20.2`,
    words: "Error: Cannot find module './gone.cjs'",
  },
  {
    title: "an error with a code in its name",
    output: `TypeError [ERR_UNKNOWN_FILE_EXTENSION]: Unknown file extension ".ts" for /shop/web.ts
    at Object.getFileProtocolModuleFormat (node:internal/modules/esm/get_format:219:9) {
  code: 'ERR_UNKNOWN_FILE_EXTENSION'
}

Node.js v20.20.2`,
    words: 'TypeError [ERR_UNKNOWN_FILE_EXTENSION]: Unknown file extension ".ts" for /shop/web.ts',
  },
  {
    title: "what was thrown, when it was no error",
    output: `/shop/app.cjs:1
throw "no port"
^
no port
(Use \`node --trace-uncaught ...\` to show where the exception was thrown)

Node.js v26.10.0`,
    words: "no port",
  },
  {
    title: "of Python the exception, which comes last",
    output: `Traceback (most recent call last):
  File "/shop/app.py", line 1, in <module>
    import flask
ModuleNotFoundError: No module named 'flask'`,
    words: "ModuleNotFoundError: No module named 'flask'",
  },
  {
    title: "of Java the exception, not a frame",
    output: `Exception in thread "main" java.lang.IllegalStateException: no port
\tat shop.Web.main(Web.java:7)`,
    words: 'Exception in thread "main" java.lang.IllegalStateException: no port',
  },
  {
    title: "what came after an error that was only logged",
    output: "Error: no database yet\n    at connect (/shop/app.js:3:9)\ntrying again\nno database, giving up",
    words: "no database, giving up",
  },
];

for (const { title, output, words } of cases) {
  test(title, () => {
    const last = new LastWords();
    for (const line of output.split("\n")) last.hear(line);
    assert.equal(last.text, words);
  });
}
