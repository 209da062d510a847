import manifest from "../package.json" with { type: "json" };

/** Of this package, and so of the whole of Heddle. */
export const version: string = manifest.version;
