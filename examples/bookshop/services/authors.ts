/** Who wrote what. */
import { serve } from "./service.ts";

const authors: Record<string, { id: string; name: string }> = {
  a1: { id: "a1", name: "Ada Byron" },
  a2: { id: "a2", name: "Grace Murray" },
  a3: { id: "a3", name: "Henrietta Swan" },
  a4: { id: "a4", name: "Karen Jones" },
};

serve("authors", (call) => {
  if (/^\/authors\/?(\?|$)/.test(call.path)) return { status: 200, body: Object.values(authors) };
  const id = /^\/authors\/([^/?]+)/.exec(call.path)?.[1];
  const author = id === undefined ? undefined : authors[id];
  return author === undefined
    ? { status: 404, body: { error: `no author at ${call.path}` } }
    : { status: 200, body: author };
});
