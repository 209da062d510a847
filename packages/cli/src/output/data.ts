/** How a command that prints data prints it. */
export const outputFormats = ["table", "json", "yaml"] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** `data` as JSON or YAML, or as `table` says it for people. Ends with a line break. */
export async function formatData(format: OutputFormat, data: unknown, table: () => string): Promise<string> {
  if (format === "table") return table();
  if (format === "json") return `${JSON.stringify(data, undefined, 2)}\n`;
  const { stringify } = await import("yaml");
  // Through JSON, so that both formats leave out the same things.
  return stringify(JSON.parse(JSON.stringify(data)), { lineWidth: 0, aliasDuplicateObjects: false });
}
