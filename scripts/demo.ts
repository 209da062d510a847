// npm run demo: `heddle demo` from a build of these sources. Its many processes start in half the time that they take from the sources (measured,
// ports mode: 17.5 s and 31 s of CPU until ready from the sources, 9.3 s and 17 s from the build, which takes one itself).
import { fileURLToPath, pathToFileURL } from "node:url";

const cache = fileURLToPath(new URL("../.cache/heddle", import.meta.url));

async function launcher(): Promise<string> {
  try {
    const { ensureDistribution } = await import("./distribution.ts");
    return `${await ensureDistribution(cache)}/bin/heddle.js`;
  } catch (error) {
    // Installed without its development dependencies, or in a folder that is read-only.
    process.stderr.write(`starting from the sources, which takes longer: ${(error as Error).message.split("\n")[0]}\n`);
    return fileURLToPath(new URL("../packages/cli/bin/heddle.js", import.meta.url));
  }
}

const program = await launcher();
process.argv.splice(1, 1, program, "demo");
// Within this process, so that signals reach it.
await import(pathToFileURL(program).href);
