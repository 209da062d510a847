// Adds to package-lock.json the optional packages of other platforms that the registry at hand does not offer.
// npm leaves those out, and then `npm ci` refuses the lock file everywhere. An added entry has no hash: npm installs it
// on its own platform alone, from a registry that has it.
//   node scripts/complete-lock-file.ts           writes the lock file
//   node scripts/complete-lock-file.ts --check   exit 1 when entries are missing
import { readFileSync, writeFileSync } from "node:fs";

interface LockEntry {
  version?: string;
  cpu?: string[] | string;
  dev?: boolean;
  libc?: string[];
  optional?: boolean;
  os?: string[] | string;
  optionalDependencies?: Record<string, string>;
}

const file = "package-lock.json";
const lock = JSON.parse(readFileSync(file, "utf8")) as { packages: Record<string, LockEntry> };
const systems = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];

/** Platform packages end with system, CPU and C library: `@oxlint/binding-linux-x64-musl`. */
function entryFor(name: string, version: string, dev: boolean): LockEntry {
  const parts = name.split(/[/-]/);
  const at = parts.findIndex((part) => systems.includes(part));
  const [system, cpu] = parts.slice(at);
  if (at === -1 || system === undefined || cpu === undefined) throw new Error(`${name} does not name its platform`);
  const library = parts.slice(at + 2).join("-");
  return {
    version,
    cpu: [cpu === "armv7" ? "arm" : cpu],
    ...(dev ? { dev } : {}),
    ...(library.includes("musl") ? { libc: ["musl"] } : {}),
    ...(library.includes("gnu") && system === "linux" ? { libc: ["glibc"] } : {}),
    optional: true,
    os: [system],
  };
}

const added: Record<string, LockEntry> = {};
for (const entry of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const isThere = Object.keys(lock.packages).some((path) => path.endsWith(`node_modules/${name}`));
    // A range would have to be resolved; platform packages are pinned exactly by the package that picks among them.
    if (!isThere && /^\d/.test(version)) added[`node_modules/${name}`] = entryFor(name, version, entry.dev === true);
  }
}

const count = Object.keys(added).length;
if (process.argv.includes("--check")) {
  if (count > 0) console.log(`${file} lacks ${Object.keys(added).join(", ")}: run node scripts/complete-lock-file.ts`);
  process.exitCode = count === 0 ? 0 : 1;
} else if (count > 0) {
  const entries = Object.entries({ ...lock.packages, ...added }).sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(file, `${JSON.stringify({ ...lock, packages: Object.fromEntries(entries) }, null, 2)}\n`);
  console.log(`added ${count} packages of other platforms`);
}
