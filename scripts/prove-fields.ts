// npm run test:fields                 every xDS field that the proxy accepts is taken away, and its proof must fail without it
// npm run test:fields -- RouteAction  only fields whose name (`<message type>.<field>`) contains that
// A field whose proofs all pass without it is proven by nothing. Exits 1 when there is one.
import { parseArgs, styleText } from "node:util";
import { acceptedFields } from "../packages/engine/src/load/accepted-fields.ts";
import { acceptedBootstrapFields } from "../packages/proxy/src/bootstrap/accepted-fields.ts";
import { runTestFile } from "./test-file.ts";

const { positionals } = parseArgs({ allowPositionals: true });
const preload = new URL("./without-field.ts", import.meta.url).href;

interface Field {
  readonly name: string;
  readonly proofs: readonly string[];
}

const fields: Field[] = [acceptedFields, acceptedBootstrapFields].flatMap((table) =>
  Object.entries(table).flatMap(([type, entries]) =>
    Object.entries(entries).map(([field, { proof }]) => ({ name: `${type}.${field}`, proofs: [proof] })),
  ),
);
const chosen = fields.filter(({ name }) => positionals.length === 0 || positionals.some((part) => name.includes(part)));

/** Whether one of the proofs fails without the field. */
async function isNoticed({ name, proofs }: Field): Promise<boolean> {
  for (const proof of proofs) {
    const [file = "", ...titles] = proof.split(" › ");
    const result = await runTestFile(`packages/${file}`, {
      limitMs: 60_000,
      only: `^${(titles.at(-1) ?? "").replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`,
      environment: { HEDDLE_WITHOUT_FIELD: name, NODE_OPTIONS: `--import=${preload}` },
    });
    if (result.failures.length > 0) return true;
    if (result.passed === 0) throw new Error(`no test ran for ${proof}`);
  }
  return false;
}

const start = performance.now();
const unnoticed: Field[] = [];
const waiting = [...chosen];
await Promise.all(
  Array.from({ length: 2 }, async () => {
    for (let field = waiting.shift(); field !== undefined; field = waiting.shift()) {
      if (await isNoticed(field)) continue;
      unnoticed.push(field);
      console.log(`${styleText("red", "×")} ${field.name}: passes without it: ${field.proofs.join(", ")}`);
    }
  }),
);
const seconds = ((performance.now() - start) / 1000).toFixed(1);
console.log(`${chosen.length - unnoticed.length} passed, ${unnoticed.length} failed, ${seconds} s`);
if (unnoticed.length > 0) process.exitCode = 1;
