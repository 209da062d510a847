/** Stars for each book. Two replicas run, so that one may be killed. */
import { instance, serve } from "./service.ts";

const stars: Record<string, readonly number[]> = { "1": [5, 4], "2": [5, 5], "3": [3, 4], "4": [4, 5] };

serve("ratings", (call) => {
  const id = /^\/ratings\/([^/?]+)/.exec(call.path)?.[1];
  const found = id === undefined ? undefined : stars[id];
  if (found === undefined) return { status: 404, body: { error: `no ratings for ${call.path}` } };
  return { status: 200, body: { book: id, stars: found, servedBy: instance } };
});
