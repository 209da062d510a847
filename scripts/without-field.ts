// Preloaded into a test (`node --import`) and all processes that it starts: of every message that protobuf-es decodes or
// creates, the field named by HEDDLE_WITHOUT_FIELD (`<message type>.<field>`) is cleared. See prove-fields.ts.
import { registerHooks } from "node:module";

const replacements = new Map([
  ["@bufbuild/protobuf", new URL("./without-field/protobuf.ts", import.meta.url).href],
  ["@bufbuild/protobuf/wkt", new URL("./without-field/wkt.ts", import.meta.url).href],
]);

registerHooks({
  resolve(specifier, context, next) {
    const url = replacements.get(specifier);
    if (url === undefined || [...replacements.values()].includes(context.parentURL ?? ""))
      return next(specifier, context);
    return { url, shortCircuit: true };
  },
});
