/**
 * Writes docs/reference/localmesh.schema.json, for editors, from the table that validates LocalMesh.
 * With --check it writes nothing and exits 1 when the file is not what the table says.
 */
import { localMeshJsonSchema } from "../src/kinds/local-mesh/json-schema.ts";
import { writeOrCheck } from "./generated-file.ts";

/** Short lists on one line, as the formatter of the repository writes them. */
const json = JSON.stringify(localMeshJsonSchema(), undefined, 2).replaceAll(
  /\[\n\s+("[^"\n]*"(?:,\n\s+"[^"\n]*")*)\n\s+\]/g,
  (_whole, items: string) => `[${items.replaceAll(/,\n\s+/g, ", ")}]`,
);

writeOrCheck("docs/reference/localmesh.schema.json", `${json}\n`, "packages/api/scripts/generate-local-mesh-schema.ts");
