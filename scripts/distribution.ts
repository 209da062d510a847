import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "esbuild";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Modules that a process or a thread begins with, and the name of each in `lib/`. */
const entries: Readonly<Record<string, string>> = {
  "packages/cli/src/main.ts": "main",
  "packages/control-plane/src/entry.ts": "control-plane",
  "packages/proxy/src/generation/entry.ts": "proxy-generation",
  "packages/proxy/src/worker/entry.ts": "proxy-worker",
};

/** What is found by its path at run time, and where it is in the distribution. */
const assets: Readonly<Record<string, string>> = {
  "packages/cli/bin": "bin",
  "packages/cli/programs": "programs",
  "examples/bookshop": "examples/bookshop",
};

/** Places in the distribution by their places in the repository. */
const places: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(entries).map(([source, name]) => [source, `lib/${name}.js`])),
  ...assets,
  "packages/cli/package.json": "package.json",
};

/**
 * Makes Heddle as it is installed: `bin/` (the launcher), `lib/` (one bundle for each entry, with what they share in chunks), what is
 * read at run time, and a package.json. The folder is emptied first.
 *
 * @returns the bundled files
 * @throws when a source file finds something by a path that the distribution does not have
 */
export async function buildDistribution(folder: string): Promise<{ path: string; bytes: number }[]> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: Object.entries(entries).map(([source, out]) => ({ in: source, out })),
    outdir: join(folder, "lib"),
    bundle: true,
    // All files lie side by side, so that a path from one of them is the same from each.
    splitting: true,
    chunkNames: "[name]-[hash]",
    format: "esm",
    platform: "node",
    target: "node26",
    metafile: true,
    legalComments: "linked",
    // Names stay as they are: stack traces and error names are for people.
    minifySyntax: true,
    minifyWhitespace: true,
    // Packages in CommonJS ask for the runtime's own modules by `require`.
    banner: {
      js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
    },
    plugins: [placesOfTheDistribution, lightBuiltins],
    logLevel: "warning",
  });
  for (const [source, target] of Object.entries(assets)) {
    await cp(join(root, source), join(folder, target), {
      recursive: true,
      filter: (path) => ![".heddle", "node_modules"].includes(basename(path)),
    });
  }
  for (const name of ["LICENSE", "NOTICE"]) await cp(join(root, name), join(folder, name));
  await writeFile(join(folder, "package.json"), `${JSON.stringify(await manifest(), undefined, 2)}\n`);
  return Object.entries(metafile.outputs).map(([path, { bytes }]) => ({ path: resolve(root, path), bytes }));
}

/** What the distribution is made from. */
const ingredients = [
  "packages/*/src/**/*",
  "packages/*/package.json",
  "packages/cli/{bin,programs}/**/*",
  "examples/bookshop/**/*",
  "scripts/distribution.ts",
  "package.json",
  "package-lock.json",
];

/** A build that nobody has started from for so long is removed when another is made. */
const keptMs = 7 * 24 * 3_600_000;

/** Changes with every byte of the sources. */
function digestOfSources(): string {
  const hash = createHash("sha256");
  for (const path of globSync(ingredients, { cwd: root, exclude: (name) => name === ".heddle" }).sort()) {
    if (statSync(join(root, path)).isFile()) hash.update(`${path}\0`).update(readFileSync(join(root, path)));
  }
  return hash.digest("hex");
}

/**
 * A build of these very sources in a folder of its own below `cache`: made if it is not there. What somebody runs from is never changed, since a mesh starts
 * processes and loads parts of itself from there as long as it lives.
 *
 * @returns the folder
 */
export async function ensureDistribution(cache: string): Promise<string> {
  const folder = join(cache, digestOfSources());
  const now = new Date();
  const isThere = await utimes(folder, now, now).then(
    () => true,
    () => false,
  );
  if (isThere) return folder;
  await mkdir(cache, { recursive: true });
  await prune(cache, now.getTime() - keptMs);
  const made = await mkdtemp(join(cache, "making-"));
  try {
    await buildDistribution(made);
    await rename(made, folder);
  } catch (error) {
    // Somebody else was faster, with the same result.
    if (!existsSync(folder)) throw error;
  } finally {
    await rm(made, { recursive: true, force: true });
  }
  return folder;
}

async function prune(cache: string, before: number): Promise<void> {
  for (const name of await readdir(cache)) {
    const path = join(cache, name);
    if ((await stat(path)).mtimeMs < before) await rm(path, { recursive: true, force: true });
  }
}

/** The pinned runtimes are the only packages that what is bundled needs. */
async function manifest(): Promise<object> {
  const { name, version, license, description, engines, optionalDependencies } = JSON.parse(
    await readFile(join(root, "package.json"), "utf8"),
  ) as Record<string, unknown>;
  return {
    name,
    version,
    description,
    license,
    type: "module",
    bin: { heddle: "bin/heddle.js" },
    engines,
    optionalDependencies,
  };
}

/**
 * Who imports one of the runtime's own modules as an ES module makes the runtime read each of its exports, and some of those load much: `locks` of
 * `node:worker_threads` the whole web client (measured: 80 ms and 7 MB a process, and as much a worker thread). Asked for this way,
 * what nobody names is not read: the bundler leaves it out.
 */
const lightBuiltins: Plugin = {
  name: "light builtins",
  setup(context) {
    context.onResolve({ filter: /^[a-z]/ }, ({ path, kind }) => {
      // `require` reads nothing.
      if (!isBuiltin(path) || kind === "require-call") return undefined;
      return { path, namespace: "light-builtin" };
    });
    context.onLoad({ filter: /.*/, namespace: "light-builtin" }, ({ path }) => {
      const names = Object.keys(process.getBuiltinModule(path) ?? {}).filter((name) => /^[A-Za-z_$]\w*$/.test(name));
      return {
        contents: [
          `const builtin = process.getBuiltinModule(${JSON.stringify(path)});`,
          "const pick = (name) => builtin[name];",
          "export default builtin;",
          ...names.map(
            (name) => `const the_${name} = /* @__PURE__ */ pick("${name}"); export { the_${name} as ${name} };`,
          ),
        ].join("\n"),
        loader: "js",
      };
    });
  },
};

const pathExpression = /new URL\(\s*"(\.[^"]*)"\s*,\s*import\.meta\.url\s*,?\s*\)/g;

/** Sources find entries and assets beside themselves; in the distribution these are elsewhere. */
const placesOfTheDistribution: Plugin = {
  name: "places of the distribution",
  setup(context) {
    context.onLoad({ filter: /\/packages\/[^/]+\/src\/.*\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const contents = text.replaceAll(pathExpression, (_, relative: string) => {
        const source = resolve(dirname(path), relative).slice(root.length);
        const place = places[source];
        if (place === undefined)
          throw new Error(`${path} asks for ${source}: scripts/distribution.ts gives it no place`);
        // From lib/, where every bundled file is.
        return `new URL(${JSON.stringify(place.startsWith("lib/") ? `./${place.slice(4)}` : `../${place}`)}, import.meta.url)`;
      });
      return { contents, loader: "ts" };
    });
  },
};
