/** The shop front: an HTML page, and the JSON API behind it. */
import { instance, json, serve, UpstreamError } from "./service.ts";
import type { Answer, Call } from "./service.ts";

interface Book {
  readonly id: string;
  readonly title: string;
  readonly author: string;
  readonly year: number;
}
interface Author {
  readonly id: string;
  readonly name: string;
}
interface Reviews {
  readonly version: string;
  readonly reviews: readonly { readonly text: string; readonly stars?: number; readonly colour?: string }[];
}

const escapes: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => escapes[character] ?? character);

async function catalogue(call: Call): Promise<{ book: Book; author: string }[]> {
  const [books, authors] = await Promise.all([
    call.fetch("books", "/books").then((reply) => json(reply) as Book[]),
    call.fetch("authors", "/authors").then((reply) => json(reply) as Author[]),
  ]);
  const names = new Map(authors.map((author) => [author.id, author.name]));
  return books.map((book) => ({ book, author: names.get(book.author) ?? "unknown" }));
}

/** The part of the page that may be missing: a shop without reviews is still a shop. */
async function reviewsOf(call: Call, id: string): Promise<string> {
  try {
    const found = json(await call.fetch("reviews", `/reviews/${id}`)) as Reviews;
    const items = found.reviews.map(({ text, stars, colour }) => {
      const rating =
        stars === undefined
          ? ""
          : ` <span style="color:${colour === "red" ? "#c0392b" : "inherit"}">${"★".repeat(stars)}${"☆".repeat(Math.max(0, 5 - stars))}</span>`;
      return `<li>${escape(text)}${rating}</li>`;
    });
    return `<ul>${items.join("")}</ul><small>reviews ${escape(found.version)}</small>`;
  } catch (error) {
    console.error(`web: reviews of ${id}: ${error instanceof Error ? error.message : String(error)}`);
    return "<p><em>Reviews are not available right now.</em></p>";
  }
}

async function page(call: Call): Promise<Answer> {
  const entries = await catalogue(call);
  const reviews = await Promise.all(entries.map(({ book }) => reviewsOf(call, book.id)));
  const articles = entries.map(
    ({ book, author }, index) =>
      `<article><h2>${escape(book.title)}</h2><p>${escape(author)}, ${book.year}</p>${reviews[index] ?? ""}</article>`,
  );
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bookshop</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
main { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); }
article { border: 1px solid #8886; border-radius: 0.5rem; padding: 0 1rem 1rem; }
h2 { font-size: 1.1rem; margin-bottom: 0; }
ul { padding-left: 1.2rem; }
footer { margin-top: 2rem; opacity: 0.7; font-size: 0.85rem; }
</style>
</head>
<body>
<h1>Bookshop</h1>
<main>
${articles.join("\n")}
</main>
<footer>Five services, one mesh. Served by ${escape(instance)}. Reload: now and then reviews come with stars.</footer>
</body>
</html>
`;
  return { status: 200, body: html, type: "text/html; charset=utf-8" };
}

/** Passes the answer of another service on as it is. */
async function pass(call: Call, service: string, path: string): Promise<Answer> {
  const reply = await call.fetch(
    service,
    path,
    call.body === "" ? { method: call.method } : { method: call.method, body: call.body },
  );
  return { status: reply.status, body: reply.body, type: reply.headers["content-type"] ?? "text/plain" };
}

serve("web", async (call) => {
  try {
    if (call.path === "/" || call.path.startsWith("/?")) return await page(call);
    if (call.method === "GET" && call.path === "/api/books") {
      const entries = await catalogue(call);
      return { status: 200, body: entries.map(({ book, author }) => ({ ...book, author })) };
    }
    const api = /^\/api\/(books|authors|reviews|ratings)(\/.*)?$/.exec(call.path);
    // Only reviews talks to ratings; the shop front offers what it may call itself.
    if (api?.[1] !== undefined && api[1] !== "ratings") return await pass(call, api[1], call.path.slice("/api".length));
    return { status: 404, body: { error: `nothing at ${call.path}` } };
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    return { status: error.reply.status, body: { error: error.message } };
  }
});
