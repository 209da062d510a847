// npm run test:fields                 every xDS field that the proxy accepts is taken away, and its proof must fail without it
// npm run test:fields -- RouteAction  only fields whose name (`<message type>.<field>`) contains that
// A field whose proofs all pass without it is proven by nothing. Exits 1 when there is one.
import { parseArgs, styleText } from "node:util";
import { acceptedFields } from "../packages/engine/src/load/accepted-fields.ts";
import { acceptedBootstrapFields } from "../packages/proxy/src/bootstrap/accepted-fields.ts";
import { forEachOfTwo, runProof } from "./proof-run.ts";

const { positionals } = parseArgs({ allowPositionals: true });
const preload = new URL("./without-field.ts", import.meta.url);

interface Field {
  readonly name: string;
  readonly proofs: readonly string[];
  readonly withoutEffect: string | undefined;
}

const fields: Field[] = [acceptedFields, acceptedBootstrapFields].flatMap((table) =>
  Object.entries(table).flatMap(([type, entries]) =>
    Object.entries(entries).map(([field, { proof, loadProof, withoutEffect }]) => ({
      name: `${type}.${field}`,
      proofs: loadProof === undefined ? [proof] : [loadProof, proof],
      withoutEffect,
    })),
  ),
);
const chosen = fields.filter(({ name }) => positionals.length === 0 || positionals.some((part) => name.includes(part)));

/** Whether the test passes when the field, or "none", is taken away. */
async function passes(proof: string, without: string): Promise<boolean> {
  const result = await runProof(`packages/${proof}`, preload, { HEDDLE_WITHOUT_FIELD: without });
  return result.failures.length === 0 && result.passed > 0;
}

const whole = new Map<string, Promise<boolean>>();

/** @returns what is wrong with the field's proofs */
async function problem({ name, proofs, withoutEffect }: Field): Promise<string | undefined> {
  for (const proof of proofs) {
    // A test that fails anyhow would prove everything.
    const isWhole = whole.get(proof) ?? passes(proof, "none");
    whole.set(proof, isWhole);
    if (!(await isWhole)) return `fails with all fields: ${proof}`;
    if (!(await passes(proof, name))) return withoutEffect && `is said to have no effect, and has one: ${proof}`;
  }
  return withoutEffect === undefined ? `nothing fails without it: ${proofs.join(", ")}` : undefined;
}

const start = performance.now();
let failed = 0;
await forEachOfTwo(chosen, async (field) => {
  const found = await problem(field);
  if (found === undefined) return;
  failed++;
  console.log(`${styleText("red", "×")} ${field.name} ${found}`);
});
const seconds = ((performance.now() - start) / 1000).toFixed(1);
console.log(`${chosen.length - failed} passed, ${failed} failed, ${seconds} s`);
if (chosen.length === 0) {
  console.log(`no field has ${positionals.join(" or ")} in its name`);
  process.exitCode = 2;
} else if (failed > 0) process.exitCode = 1;
