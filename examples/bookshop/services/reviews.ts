/** Reviews of a book. v1 shows text only; v2 adds black stars and v3 red ones, both from `ratings`. */
import { instance, json, serve, version } from "./service.ts";

const texts: Record<string, readonly string[]> = {
  "1": ["An engine, a poet's daughter, and the first program.", "I read it in one evening."],
  "2": ["She found the bug. It was a moth.", "Every compiler writer should own this."],
  "3": ["Brings the stars down to the desk.", "More patience than I have."],
  "4": ["Trees, and how to walk them.", "Short, exact, kind."],
};
const colours: Record<string, string> = { v2: "black", v3: "red" };

serve("reviews", async (call) => {
  const id = /^\/reviews\/([^/?]+)/.exec(call.path)?.[1];
  const found = id === undefined ? undefined : texts[id];
  if (id === undefined || found === undefined) return { status: 404, body: { error: `no reviews for ${call.path}` } };
  const colour = colours[version];
  if (colour === undefined) {
    return { status: 200, body: { book: id, version, servedBy: instance, reviews: found.map((text) => ({ text })) } };
  }
  const ratings = json(await call.fetch("ratings", `/ratings/${id}`)) as { stars: number[]; servedBy: string };
  const reviews = found.map((text, index) => ({ text, stars: ratings.stars[index] ?? 0, colour }));
  return { status: 200, body: { book: id, version, servedBy: instance, ratingsFrom: ratings.servedBy, reviews } };
});
