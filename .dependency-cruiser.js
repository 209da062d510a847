// The direction of imports: ARCHITECTURE.md lists the packages, this file holds them to it.
// Every rule here has a planted violation in scripts/dependency-rules.test.ts; a rule without one fails that test.
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** What each package's sources may import from the others. */
const mayImport = {
  core: [],
  state: ["core"],
  net: ["core"],
  http: ["core"],
  telemetry: ["core"],
  xds: ["core"],
  engine: ["core", "xds"],
  upstream: ["core", "net", "http", "telemetry", "engine"],
  proxy: ["core", "state", "net", "http", "telemetry", "xds", "engine", "upstream"],
  api: ["core"],
  compiler: ["core", "api", "xds"],
  kubernetes: ["core", "api"],
  "control-plane": ["core", "state", "net", "http", "telemetry", "xds", "engine", "api", "compiler", "kubernetes"],
};

const purePackages = "^packages/(core|http|engine|compiler|api)/src/";
// Node modules without I/O, time or randomness of their own; node:crypto is for hashes (check:pure forbids its randomness).
const pureNodeModules =
  "^(node:)?(assert|assert/strict|buffer|crypto|path|path/posix|string_decoder|url|util|util/types|zlib)$";
const tests = "[.]test[.]ts$|/src/testing/|^packages/testkit/|^(bench|conformance|fuzz)/";
const generatedProtobuf = "^packages/xds/src/(api|gen)/|(^|/)node_modules/@bufbuild/protobuf/";

/** Files that `exports` in the packages' package.json declare. */
const exportedFiles = readdirSync("packages", { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(`packages/${entry.name}/package.json`))
  .flatMap(({ name }) => {
    const { exports = {} } = JSON.parse(readFileSync(`packages/${name}/package.json`, "utf8"));
    return Object.values(exports).map((file) => `packages/${name}/${file.replace(/^[.][/]/, "")}`);
  });

function rule(name, comment, from, to) {
  return { name, comment, severity: "error", from, to };
}

export default {
  forbidden: [
    ...Object.entries(mayImport).map(([name, allowed]) =>
      rule(
        `imports-of-${name}`,
        `packages/${name} may import ${allowed.length === 0 ? "no other package" : allowed.join(", ")}.`,
        { path: `^packages/${name}/src/`, pathNot: tests },
        { path: "^packages/", pathNot: `^packages/(${[name, ...allowed, "testkit"].join("|")})/` },
      ),
    ),
    rule(
      "data-plane-knows-no-control-plane",
      "proxy and upstream never import control-plane, compiler, api or kubernetes, not even in tests.",
      { path: "^packages/(proxy|upstream)/" },
      { path: "^packages/(control-plane|compiler|api|kubernetes)/" },
    ),
    rule(
      "control-plane-knows-no-data-plane",
      "control-plane never imports proxy or upstream, not even in tests.",
      { path: "^packages/control-plane/" },
      { path: "^packages/(proxy|upstream)/" },
    ),
    rule(
      "pure-packages-do-no-io",
      "core, http, engine, compiler and api compute: no sockets, files, processes, timers or clocks.",
      { path: purePackages, pathNot: tests },
      { dependencyTypes: ["core"], pathNot: pureNodeModules },
    ),
    rule(
      "pure-packages-see-only-xds-api",
      "Of xds, the pure packages import only ./api: its client and server do I/O.",
      { path: purePackages, pathNot: tests },
      { path: "^packages/xds/", pathNot: "^packages/xds/src/(api|gen)/" },
    ),
    rule(
      "xds-stops-at-engine-load",
      "In engine, only load/ knows xDS: the request path reads compiled plain objects.",
      { path: "^packages/engine/src/", pathNot: ["^packages/engine/src/load/", tests] },
      { path: "^packages/xds/" },
    ),
    rule(
      "engine-load-is-for-shells",
      "Nothing in engine outside load/ imports load/: it would bring the generated API onto the request path.",
      { path: "^packages/engine/src/", pathNot: ["^packages/engine/src/load/", tests] },
      { path: "^packages/engine/src/load/" },
    ),
    rule(
      "generated-types-stop",
      "Generated protobuf types stop at engine/load, compiler, xds and control-plane, and on the proxy's main thread: bootstrap, certificate, xDS resources and their dump.",
      {
        path: "^packages/",
        pathNot: [
          "^packages/(engine/src/load|compiler|xds|control-plane)/",
          "^packages/proxy/src/(bootstrap|identity|admin|generation)/",
          tests,
        ],
      },
      { path: generatedProtobuf },
    ),
    rule(
      "request-path-loads-no-protobuf",
      "Nothing that the traffic worker loads, however indirectly, is generated protobuf: it reads compiled plain objects.",
      { path: "^packages/(proxy/src/worker|upstream/src|engine/src/(bind|config|steps))/", pathNot: tests },
      { path: generatedProtobuf, reachable: true },
    ),
    rule(
      "protobuf-runtime-only-through-xds",
      "Pure packages reach the protobuf runtime only through @heddle/xds/api.",
      { path: purePackages },
      { path: "(^|/)node_modules/@bufbuild/" },
    ),
    rule(
      "no-cycles",
      "A cycle has no order to start it in. Types have none to start: within a package two files may know each other's.",
      {},
      { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    ),
    rule(
      "only-declared-exports",
      "Between packages only what `exports` in package.json declares.",
      { path: "^packages/([^/]+)/" },
      { path: "^packages/[^/]+/", pathNot: ["^packages/$1/", ...exportedFiles.map((file) => `^${file}$`)] },
    ),
    rule(
      "packages-import-by-name",
      "Another package is imported by its name, never by a relative path.",
      { path: "^packages/([^/]+)/" },
      { path: "^packages/[^/]+/", pathNot: "^packages/$1/", dependencyTypes: ["local"] },
    ),
    rule(
      "testkit-only-from-tests",
      "testkit holds fakes and throw-away keys: only tests and benchmarks import it.",
      { pathNot: tests },
      { path: "^packages/testkit/" },
    ),
    rule(
      "no-tests-from-sources",
      "What ships imports no test.",
      { pathNot: tests },
      { path: "[.]test[.]ts$|/src/testing/" },
    ),
    rule(
      "ffi-only-in-net",
      "net is the only place that touches the runtime's young edges, each with a self-test.",
      { path: "^packages/", pathNot: "^packages/net/" },
      { path: "^(node:)?ffi$" },
    ),
    rule(
      "examples-are-ordinary-programs",
      "An example application uses node: modules and its own files alone, so that it is clearly an ordinary application.",
      { path: "^examples/", pathNot: tests },
      { pathNot: "^examples/", dependencyTypesNot: ["core"] },
    ),
    rule(
      "imports-resolve",
      "Every import resolves: by a file, or by what the package's `exports` declare.",
      {},
      { couldNotResolve: true, pathNot: "^(node:)?(ffi|sqlite|sea|test|test/reporters)$" },
    ),
    rule(
      "dependencies-are-declared",
      "A package declares what it imports in its own package.json; npm's hoisting is an accident.",
      { path: "^packages/", pathNot: tests },
      { dependencyTypes: ["npm-no-pkg", "npm-unknown"], pathNot: "^packages/" },
    ),
    rule(
      "sources-need-no-dev-dependencies",
      "What ships imports no devDependency.",
      { path: "^packages/[^/]+/(src|bin)/", pathNot: [tests] },
      { dependencyTypes: ["npm-dev"] },
    ),
  ],
  options: {
    parser: "swc",
    // Type-only imports count: a type that crosses a border is a dependency, too.
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(packages|examples)/(?!.*node_modules/).*/(dist|testdata)/" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default"],
      extensions: [".ts", ".js", ".json"],
    },
  },
};
