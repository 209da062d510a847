// npm run build            dist/: Heddle as it is installed, bundled JavaScript that needs no package but a runtime
// npm run build -- DIR     the same in another folder
import { resolve } from "node:path";
import { buildDistribution } from "./distribution.ts";

const folder = resolve(process.argv[2] ?? "dist");
const files = await buildDistribution(folder);
const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
console.log(`${folder}: ${files.length} bundled files, ${(bytes / 1024 / 1024).toFixed(1)} MiB`);
