import assert from "node:assert/strict";
import { test } from "node:test";
import { formatTable } from "./table.ts";

test("columns are as wide as their widest cell, numbers stand right, and no line ends in spaces", () => {
  const rows = [
    { name: "web", rate: "12.5", note: "" },
    { name: "reviews", rate: "3.0", note: "slow" },
  ];
  const text = formatTable(rows, [
    { title: "name", text: ({ name }) => name },
    { title: "rps", align: "right", text: ({ rate }) => rate },
    { title: "note", text: ({ note }) => note },
  ]);
  assert.equal(text, "NAME      RPS  NOTE\nweb      12.5\nreviews   3.0  slow\n");
});

test("colour does not shift columns", () => {
  const text = formatTable(
    [{ cell: "\u001b[31mab\u001b[39m" }, { cell: "abc" }],
    [
      { title: "a", align: "right", text: ({ cell }) => cell },
      { title: "b", text: () => "x" },
    ],
  );
  assert.equal(text, "  A  B\n \u001b[31mab\u001b[39m  x\nabc  x\n");
});
