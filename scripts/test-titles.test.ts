import assert from "node:assert/strict";
import { test } from "node:test";
import { hasTitle, testTitles, titlePattern } from "./test-titles.ts";

function titlesOf(source: string): string[] {
  return testTitles(`import { describe, it, suite, test } from "node:test";\n${source}`).map((path) =>
    path.join(" › "),
  );
}

const read: [what: string, source: string, titles: string[]][] = [
  ["a string", `test("one", () => {}); it('it\\'s two', { timeout: 1 }, async () => {});`, ["one", "it's two"]],
  ["a template without values", "test(`one`, () => {});", ["one"]],
  [
    "letters of several bytes before and in a template",
    "// é…\nconst é = f(); test(`ü ${é} 😀`, () => {});",
    ["ü ${é} 😀"],
  ],
  ["a test that runs alone", 'test.only("one", () => {});', ["one"]],
  ["a test that is skipped under a condition", 'test("one", { skip: isDarwin && "no /proc" }, () => {});', ["one"]],
  [
    "suites and their tests",
    'suite("a", () => { describe("b", () => { it("c", () => {}); }); });',
    ["a", "a › b", "a › b › c"],
  ],
  [
    "subtests by their context",
    'test("a", async (t) => { await t.test("b", async (inner) => { await inner.test("c", f); }); });',
    ["a", "a › b", "a › b › c"],
  ],
  [
    "rows of a table that stands in the loop",
    'for (const what of ["a", "b"]) test(`refuses ${what}`, () => {});',
    ["refuses a", "refuses ${what}", "refuses b"],
  ],
  [
    "rows of arrays",
    'const cases: [string, number][] = [["a", 1], ["b", 2]]; for (const [what, n] of cases) test(`${what} is ${n}`, () => {});',
    ["a is 1", "${what} is ${n}", "b is 2"],
  ],
  [
    "rows of objects",
    'const cases = [{ title: "a", in: 1 }] as const; for (const { title, in: n } of cases) test(title + "!" + n, () => {});',
    ["a!1"],
  ],
  ["a member of a row", 'for (const row of [{ title: "a" }]) test(row.title, () => {});', ["a"]],
  ["a constant", 'const name = "a"; test(`${name} b`, () => {});', ["a b", "${name} b"]],
  [
    "tables in tables",
    'for (const a of ["x", "y"]) describe(a, () => { for (const b of [1, 2]) it(`is ${b}`, () => {}); });',
    ["x", "x › is 1", "x › is ${b}", "x › is 2", "y", "y › is 1", "y › is ${b}", "y › is 2"],
  ],
  [
    "a template of a function, by its source alone",
    "function refuses(what) { test(`refuses ${what}`, f); }",
    ["refuses ${what}"],
  ],
];
for (const [what, source, titles] of read) {
  test(`the title is read of ${what}`, () => assert.deepEqual(titlesOf(source), titles));
}

const none: [what: string, source: string][] = [
  ["a comment", '// test("one", () => {});\n/* test("two", () => {}); */'],
  ["another string", `const planted = 'test("one", () => {});';`],
  ["a message of an assertion", 'assert.ok(true, "one");'],
  ["a regular expression's test", '/a/.test("one"); const t = /b/; t.test("one", () => {});'],
  ["a function of the file's own", 'function check(title, f) {} check("one", () => {});'],
  ["a name that hides the import", 'function f(test) { test("one", () => {}); }'],
  ["a skipped test", 'test.skip("one", () => {}); test("two", { skip: true }, f); test("three", { skip: "why" }, f);'],
  ["a test to be written", 'test.todo("one"); test("two", { todo: true }, () => {});'],
  ["a test in a skipped suite", 'describe("a", { skip: true }, () => { it("b", () => {}); });'],
  ["a title from elsewhere", "test(titleOfRound(1), () => {}); for (const title of titles()) test(title, () => {});"],
  ["a variable that may change", 'let name = "a"; test(name, () => {});'],
];
for (const [what, source] of none) {
  test(`no title is read of ${what}`, () => assert.deepEqual(titlesOf(source), []));
}

test("a test function counts by its import, under whatever name", () => {
  assert.deepEqual(testTitles('import { test as check } from "node:test"; check("a", f);'), [["a"]]);
  assert.deepEqual(testTitles('import { test } from "./own.ts"; test("a", f);'), []);
});

test("a title is named whole, with the suites around it or without", () => {
  const titles = [["a", "b", "c"], ["a"]];
  for (const named of [["a", "b", "c"], ["b", "c"], ["c"], ["a"]]) assert.ok(hasTitle(titles, named), named.join());
  for (const named of [[], ["b"], ["a", "c"], ["a", "b"], [""], ["c", "a"]])
    assert.ok(!hasTitle(titles, named), named.join());
});

test("a title stands for itself, and a template for all its rows", () => {
  const cases: [title: string, printed: string, isMeant: boolean][] = [
    ["a (b) is c?", "a (b) is c?", true],
    ["a.c", "abc", false],
    ["a body of ${bytes} bytes", "a body of 12 bytes", true],
    ["a body of ${bytes} bytes", "a body of 12 bytes is sent", false],
    ['a ${isOpen ? "is open" : "is shut"}', "a is shut", true],
    ["b", "a b", false],
  ];
  for (const [title, printed, isMeant] of cases) assert.equal(titlePattern(title).test(printed), isMeant, printed);
});
