import { widthOf } from "./terminal.ts";

export interface Column<Row> {
  readonly title: string;
  readonly align?: "right";
  readonly text: (row: Row) => string;
}

/** Rows under upper-case titles, two spaces apart, without lines; the last column is not padded. */
export function formatTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const cells = [
    columns.map(({ title }) => title.toUpperCase()),
    ...rows.map((row) => columns.map(({ text }) => text(row))),
  ];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => widthOf(line[index] ?? ""))));
  return cells
    .map(
      (line) =>
        `${line
          .map((cell, index) => pad(cell, index))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");

  function pad(cell: string, index: number): string {
    const space = " ".repeat(Math.max(0, (widths[index] ?? 0) - widthOf(cell)));
    if (columns[index]?.align === "right") return space + cell;
    return index === columns.length - 1 ? cell : cell + space;
  }
}
