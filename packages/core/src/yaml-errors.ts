/** The error codes of the package `yaml`, in our own words, for whatever file is read with it. */
export const yamlErrors: Readonly<Record<string, { message: string; hint: string }>> = {
  TAB_AS_INDENT: { message: "A tab is used for indentation.", hint: "Replace the tab by spaces." },
  BAD_INDENT: {
    message: "The indentation does not fit the lines around it.",
    hint: "Indent the line as deep as its neighbours in the same block.",
  },
  BAD_ALIAS: {
    message: "An alias (*name) refers to an anchor (&name) that does not stand before it.",
    hint: "Define the anchor above its first use in the same document.",
  },
  BLOCK_AS_IMPLICIT_KEY: {
    message: "A block begins on the same line as a key.",
    hint: "Put the nested block on lines of its own, indented deeper; quote the value if it contains ': '.",
  },
  MULTILINE_IMPLICIT_KEY: {
    message: "A key runs over several lines; a ':' is probably missing.",
    hint: "Write `key: value`, with a space after the colon.",
  },
  TAG_RESOLVE_FAILED: {
    message: "A tag (!something) is used that resources do not know.",
    hint: "Write the value without a tag; quote it if it begins with '!'.",
  },
};
