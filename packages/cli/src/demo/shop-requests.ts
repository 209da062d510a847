import type { LoadRequest } from "./load.ts";

const books = ["1", "2", "3", "4"] as const;

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)] as T;
}

/** Reviews of some book; the body says which version wrote them. */
export function reviewsRequest(): LoadRequest {
  return { path: `/api/reviews/${pick(books)}` };
}

/** Reads that an intact shop answers with 200 every time. */
export function readRequest(): LoadRequest {
  const draw = Math.random();
  if (draw < 0.7) return reviewsRequest();
  return { path: draw < 0.85 ? "/api/authors" : `/api/books/${pick(books)}` };
}

/** What customers of the shop do, of all sorts: some add a book, which fails half of the time before the retries. */
export function customerRequest(): LoadRequest {
  const draw = Math.random();
  if (draw < 0.2) return { path: "/" };
  if (draw < 0.4) return { path: "/api/books" };
  if (draw < 0.55)
    return { path: "/api/books", method: "POST", body: JSON.stringify({ title: "A New Chapter", author: "a1" }) };
  return readRequest();
}
